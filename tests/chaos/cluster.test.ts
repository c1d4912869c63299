import { afterAll, expect, test } from 'vitest';
import { stopCluster } from './cluster.ts';
import { clusterRows } from './rows.ts';

afterAll(stopCluster);

// The short form of each experiment; `npm run chaos` runs them at full length.
test.each(clusterRows)('$name: $promise', async ({ run }) => {
  const { problems, passed } = await run('short');
  expect(problems).toEqual([]);
  expect(passed).toBe(true);
});
