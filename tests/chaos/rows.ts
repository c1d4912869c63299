import type { Row } from './row.ts';
import { row as commandRepeated } from './rows/command-repeated.ts';
import { row as embeddedKilled } from './rows/embedded-killed.ts';
import { row as noLeak } from './rows/no-leak.ts';
import { row as overload } from './rows/overload.ts';
import { row as restoreDrill } from './rows/restore-drill.ts';
import { row as rollingRestart } from './rows/rolling-restart.ts';
import { row as shutdown } from './rows/shutdown.ts';

/** Every experiment, in the order in which they are run and shown. */
export const rows: Row[] = [commandRepeated, shutdown, rollingRestart, embeddedKilled, overload, noLeak, restoreDrill];
