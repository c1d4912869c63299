import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mongo } from 'mongoose';
import { snowflake } from '../../snowflake.ts';
import type { Row } from '../row.ts';
import type { Services } from '../services.ts';
import { judgeLives, underLoad } from '../trial.ts';

const hour = 3_600_000;
/** What the clock of one process is off by, one after the other. */
const offsets = [hour, 0, -hour, 0];
/** Seconds after which a limited key may go on at the latest: its window. */
const window = 10;

/** Reads every half second with a key that has a limit it stays below, through both processes; answers what was refused. */
async function readLimited({ client, urls }: Services, seconds: number): Promise<string[]> {
  const { secret } = await client().keys.create.mutate({ name: 'limited', scope: 'read', rateLimit: 20 });
  const refused: string[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    for (const url of urls) {
      const path = `${url}/user/exists/discordId/${snowflake()}`;
      const { status, headers } = await fetch(path, { headers: { authorization: secret } });
      if (status !== 200) refused.push(`a key below its limit was answered ${status}`);
      if (Number(headers.get('retry-after')) > window) refused.push(`it is to wait ${headers.get('retry-after')} s`);
    }
    await sleep(500);
  }
  return [...new Set(refused)];
}

/** Tickets whose times run backwards, and numbers that were given twice. */
async function amissIn(uri: string): Promise<{ tickets: number; backwards: number; twice: number }> {
  const client = new mongo.MongoClient(uri, { readConcernLevel: 'majority' });
  const tickets = await client.db().collection('tickets').find().toArray();
  await client.close();
  const backwards = tickets.filter(({ history, claimIntervals, createdAt, updatedAt }) => {
    const times: Date[] = [createdAt, ...history.map(({ at }: { at: Date }) => at), updatedAt];
    const runsBack = times.some((time, place) => time < (times[place - 1] ?? time));
    return runsBack || claimIntervals.some(({ from, to }: { from: Date; to: Date | null }) => to !== null && to < from);
  });
  const numbers = new Set(tickets.map(({ guildId, ticketNumber }) => `${guildId} ${ticketNumber}`));
  return { tickets: tickets.length, backwards: backwards.length, twice: tickets.length - numbers.size };
}

export const row: Row = {
  name: 'clock-jumps',
  promise:
    'A clock that jumps makes no number twice, no ticket’s times run backwards, locks no key out and loses nothing',
  experiment:
    'the clock of one of two processes jumps an hour forward, back, an hour backward and back, under 16 clients and a key with a limit',
  async run(scale) {
    const phase = scale === 'full' ? 15_000 : 2_000;
    const seconds = ((offsets.length + 1) * phase) / 1000;
    const folder = await mkdtemp(join(tmpdir(), 'counterfoil-clock-'));
    const file = join(folder, 'offset');
    let refused: string[] = [];
    const run = await underLoad({
      database: 'clock-jumps',
      options: { env: { CHAOS_CLOCK: file }, preloads: ['./tests/chaos/preload/clock.ts'] },
      load: { load: 'lives', clients: 16, seconds },
      async disturb({ services, mark }) {
        const limited = readLimited(services, seconds);
        for (const offset of offsets) {
          await sleep(phase);
          await writeFile(file, String(offset));
          services.processes[0]?.kill('SIGUSR2');
          mark(offset === 0 ? 'right again' : `${offset > 0 ? '+' : '−'}1 hour`);
        }
        refused = await limited;
      },
    });
    await rm(folder, { recursive: true });
    const { acknowledged, problems, figures } = await judgeLives(run);
    const { tickets, backwards, twice } = await amissIn(run.uri);
    problems.push(...refused);
    if (acknowledged < 100) problems.push(`only ${acknowledged} changes were acknowledged`);
    if (backwards > 0) problems.push(`the times of ${backwards} tickets run backwards`);
    if (twice > 0) problems.push(`${twice} numbers were given twice`);
    return {
      passed: problems.length === 0,
      problems,
      figures: { tickets, 'whose times run backwards': backwards, 'numbers given twice': twice, ...figures },
      timeline: run.timeline,
      faults: run.faults,
    };
  },
};
