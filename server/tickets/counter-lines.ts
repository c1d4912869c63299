import type { CounterLine } from '@counterfoil/shared/transfer';
import { type Outcome, pagesById, type Scope } from '../transfer/lines.ts';
import { Counter, raiseTicketNumber } from './numbers.ts';

/** The last ticket numbers as lines, by guild. */
export async function* exportCounters(scope: Scope, after: CounterLine | null): AsyncGenerator<object> {
  const filter = scope.guildId === null ? {} : { _id: scope.guildId };
  for await (const counters of pagesById(Counter, filter, scope, after?.guildId)) {
    for (const { _id: guildId, tickets } of counters) yield { kind: 'counter', guildId, tickets };
  }
}

/** Raises the last ticket numbers, and never lowers one. */
export async function importCounters(lines: CounterLine[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const { guildId, tickets } of lines) {
    outcomes.push((await raiseTicketNumber(guildId, tickets)) ? 'imported' : 'present');
  }
  return outcomes;
}
