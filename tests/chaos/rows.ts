import type { Row } from './row.ts';
import { row as clockJumps } from './rows/clock-jumps.ts';
import { row as commandRepeated } from './rows/command-repeated.ts';
import { row as databaseAway } from './rows/database-away.ts';
import { row as embeddedKilled } from './rows/embedded-killed.ts';
import { row as limitsHold } from './rows/limits-hold.ts';
import { row as linearizable } from './rows/linearizable.ts';
import { row as negativeControl } from './rows/negative-control.ts';
import { row as noLeak } from './rows/no-leak.ts';
import { row as numbersUnique } from './rows/numbers-unique.ts';
import { row as oneWinner } from './rows/one-winner.ts';
import { row as overload } from './rows/overload.ts';
import { row as poolFull } from './rows/pool-full.ts';
import { row as primaryKilled } from './rows/primary-killed.ts';
import { row as restoreDrill } from './rows/restore-drill.ts';
import { row as rollingRestart } from './rows/rolling-restart.ts';
import { row as shutdown } from './rows/shutdown.ts';
import { row as slowNetwork } from './rows/slow-network.ts';

/** The experiments on the replica set. */
export const clusterRows: Row[] = [
  primaryKilled,
  oneWinner,
  linearizable,
  numbersUnique,
  limitsHold,
  databaseAway,
  negativeControl,
  slowNetwork,
  poolFull,
  clockJumps,
];

/** The experiments on processes and backups. */
export const processRows: Row[] = [
  commandRepeated,
  shutdown,
  rollingRestart,
  embeddedKilled,
  overload,
  noLeak,
  restoreDrill,
];

/** Every experiment, in the order in which they are run and shown. */
export const rows: Row[] = [...clusterRows, ...processRows];
