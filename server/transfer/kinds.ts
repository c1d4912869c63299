import { BlockLine, ChannelLine, CounterLine, TicketLine, UserLine } from '@counterfoil/shared/transfer';
import type { ZodObject, z } from 'zod';
import { exportBlocks, importBlocks } from '../blocks/lines.ts';
import { exportChannels, importChannels } from '../channels/lines.ts';
import { exportCounters, importCounters } from '../tickets/counter-lines.ts';
import { exportTickets } from '../tickets/export-lines.ts';
import { importTickets } from '../tickets/import-lines.ts';
import { exportUsers, importUsers } from '../users/lines.ts';
import type { Outcome, Scope } from './lines.ts';

/** One kind of line: how it is read from the database, and how lines of it are written to another. */
interface Kind<Line> {
  schema: z.ZodType<Line> & ZodObject;
  /** The lines of this kind in their order, those behind `after` where it is given. */
  lines(scope: Scope, after: Line | null): AsyncGenerator<object>;
  /** Writes what is not there yet; says for each line what became of it. */
  write(lines: Line[]): Promise<Outcome[]>;
}

/** Fits a row into the table: only `schema` makes what `lines` and `write` are given. */
function kind<Line>(row: Kind<Line>): Kind<unknown> {
  return row as Kind<unknown>;
}

/** The kinds in the order in which they are exported, and imported within a batch: users before who refers to them. */
export const kinds = new Map<string, Kind<unknown>>([
  ['user', kind({ schema: UserLine, lines: exportUsers, write: importUsers })],
  ['channel', kind({ schema: ChannelLine, lines: exportChannels, write: importChannels })],
  ['block', kind({ schema: BlockLine, lines: exportBlocks, write: importBlocks })],
  ['counter', kind({ schema: CounterLine, lines: exportCounters, write: importCounters })],
  ['ticket', kind({ schema: TicketLine, lines: exportTickets, write: importTickets })],
]);
