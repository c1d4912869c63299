import { defineConfig } from 'vitest/config';

const leaks = 'tests/leaks/*.test.ts';

export default defineConfig({
  test: {
    reporters: ['default', ['json', { outputFile: '.cache/vitest.json' }]],
    // These tests are not timed: the limit only ends what hangs, also on a busy machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // Two cores: more workers only make the real processes of the tests wait for each other.
    maxWorkers: 2,
    setupFiles: ['tests/leaks/watch.ts'],
    projects: [
      {
        extends: true,
        test: { name: 'service', include: ['tests/**/*.test.ts'], exclude: [leaks], globalSetup: 'tests/database.ts' },
      },
      // Behind all others: it looks at what they have answered and logged.
      { extends: true, test: { name: 'afterwards', include: [leaks], sequence: { groupOrder: 1 } } },
    ],
  },
});
