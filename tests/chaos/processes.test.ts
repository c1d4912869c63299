import { expect, test } from 'vitest';
import { row as commandRepeated } from './rows/command-repeated.ts';
import { row as embeddedKilled } from './rows/embedded-killed.ts';
import { row as noLeak } from './rows/no-leak.ts';
import { row as overload } from './rows/overload.ts';
import { row as restoreDrill } from './rows/restore-drill.ts';
import { row as rollingRestart } from './rows/rolling-restart.ts';
import { row as shutdown } from './rows/shutdown.ts';

test.each([commandRepeated, shutdown, rollingRestart, embeddedKilled, overload, noLeak, restoreDrill])(
  '$name, in short: $promise',
  { timeout: 300_000 },
  async (row) => {
    const { problems, figures } = await row.run('short');
    expect({ problems, figures }).toEqual({ problems: [], figures });
  },
);
