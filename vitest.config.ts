import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/database.ts',
    reporters: ['default', ['json', { outputFile: '.cache/vitest.json' }]],
    // These tests are not timed: the limit only ends what hangs, also on a busy machine.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // Two cores: more workers only make the real processes of the tests wait for each other.
    maxWorkers: 2,
  },
});
