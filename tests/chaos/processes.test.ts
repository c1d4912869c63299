import { expect, test } from 'vitest';
import { processRows } from './rows.ts';

test.each(processRows)('$name, in short: $promise', async (row) => {
  const { problems, figures } = await row.run('short');
  expect({ problems, figures }).toEqual({ problems: [], figures });
});
