import type { Row } from './row.ts';
import { row as clockJumps } from './rows/clock-jumps.ts';
import { row as databaseAway } from './rows/database-away.ts';
import { row as limitsHold } from './rows/limits-hold.ts';
import { row as linearizable } from './rows/linearizable.ts';
import { row as negativeControl } from './rows/negative-control.ts';
import { row as numbersUnique } from './rows/numbers-unique.ts';
import { row as oneWinner } from './rows/one-winner.ts';
import { row as poolFull } from './rows/pool-full.ts';
import { row as primaryKilled } from './rows/primary-killed.ts';
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

/** Every experiment, in the order in which they are run and shown. */
export const rows: Row[] = [...clusterRows];
