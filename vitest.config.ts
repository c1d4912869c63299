import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: 'tests/database.ts',
    reporters: ['default', ['json', { outputFile: '.cache/vitest.json' }]],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores: more workers only make the real processes of the tests wait for each other.
    maxWorkers: 2,
  },
});
