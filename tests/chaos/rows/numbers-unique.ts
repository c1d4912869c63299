import { mongo } from 'mongoose';
import { until } from '../../server-process.ts';
import { figuresOf, type History } from '../history.ts';
import type { Row } from '../row.ts';
import { underLoad } from '../trial.ts';

/** The numbers of the tickets in the database, by their guilds. */
async function numbersIn(uri: string): Promise<Map<string, number[]>> {
  const client = new mongo.MongoClient(uri, { readConcernLevel: 'majority' });
  const numbers = new Map<string, number[]>();
  for await (const { guildId, ticketNumber } of client.db().collection('tickets').find()) {
    numbers.set(guildId, [...(numbers.get(guildId) ?? []), ticketNumber]);
  }
  await client.close();
  return numbers;
}

/** How many numbers were told to more than one creator. */
function toldTwice({ calls }: History): number {
  const told = calls
    .filter(({ outcome }) => outcome === 'ok')
    .map(({ answer }) => `${answer.guildId} ${answer.ticketNumber}`);
  return told.length - new Set(told).size;
}

export const row: Row = {
  name: 'numbers-unique',
  promise: 'Ticket numbers are unique in their guild and never reused',
  experiment:
    '20,000 creates, half of them in 3 guilds and half in 30, by 32 clients through two processes, with a kill -9 of the primary in the middle',
  async run(scale) {
    const count = scale === 'full' ? 20_000 : 600;
    const {
      uri,
      history,
      problems: answers,
      timeline,
      faults,
    } = await underLoad({
      database: 'numbers-unique',
      load: { load: 'creates', clients: 32, count },
      async disturb({ cluster, mark, history }) {
        await until(() => history.calls.length > count / 3, 300_000);
        await cluster.killPrimary();
        mark('kill -9 of the primary');
      },
    });
    const numbers = await numbersIn(uri);
    const all = [...numbers.values()];
    const repeats = all.reduce((sum, own) => sum + own.length - new Set(own).size, 0) + toldTwice(history);
    const stored = all.reduce((sum, own) => sum + own.length, 0);
    const acknowledged = history.calls.filter(({ outcome }) => outcome === 'ok').length;
    const problems = [...answers];
    if (repeats > 0) problems.push(`${repeats} numbers were given twice`);
    if (stored < acknowledged) problems.push(`${acknowledged} creates were acknowledged, ${stored} tickets are there`);
    if (acknowledged < count * 0.9) problems.push(`only ${acknowledged} creates of ${count} were acknowledged`);
    return {
      passed: problems.length === 0,
      problems,
      figures: {
        tickets: stored,
        guilds: numbers.size,
        'numbers given twice': repeats,
        'numbers passed over': all.reduce((sum, own) => sum + Math.max(...own) - own.length, 0),
        ...figuresOf(history),
      },
      timeline,
      faults,
    };
  },
};
