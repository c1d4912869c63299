import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findRunning } from 'counterfoil/database/embedded';
import { startServer } from '../../server-process.ts';
import { snowflake } from '../../snowflake.ts';
import { attempt, keepTime, newTicket } from '../caller.ts';
import { key, openDatabase, ownFolder } from '../one-member.ts';
import type { Row } from '../row.ts';

const callers = 16;
/** Milliseconds, at most: of load before a kill, and until the service answers again. */
const mostLoad = 1500;
const mostToStart = 15_000;

/** What was acknowledged of a ticket. */
interface Acknowledged {
  claimedBy: string | null;
  closed: boolean;
}

/** The processes of a service: itself, its mongod, and the keeper between them, whose group (a negative id) mongod is in. */
async function processesOf(pid: number, folder: string): Promise<number[]> {
  const mongod = Number(await readFile(join(folder, 'db', 'mongod.lock'), 'utf8'));
  const [, keeper] = /^PPid:\s*(\d+)/m.exec(await readFile(`/proc/${mongod}/status`, 'utf8')) ?? [];
  return [pid, mongod, -Number(keeper)];
}

/** Creates, claims and closes tickets, and keeps what was acknowledged, until the service is gone. */
async function live(url: string, guildId: string, acknowledged: Map<string, Acknowledged>, count: () => void) {
  for (;;) {
    const create = newTicket(guildId);
    const { ticketId, ticketShortId: shortId, ticketOwner: discordId } = create;
    const ticket: Acknowledged = { claimedBy: null, closed: false };
    if ((await attempt(url, { path: '/tickets/create', input: create })).status !== 200) return;
    acknowledged.set(ticketId, ticket);
    count();
    if ((await attempt(url, { path: '/tickets/claim', input: { shortId, discordId } })).status !== 200) return;
    ticket.claimedBy = discordId;
    count();
    if ((await attempt(url, { path: '/tickets/close', input: { shortId } })).status !== 200) return;
    ticket.closed = true;
    count();
  }
}

/** Which acknowledged changes are not in the database of a folder. */
async function missing(folder: string, acknowledged: Map<string, Acknowledged>): Promise<string[]> {
  await using database = openDatabase((await findRunning(folder)) ?? '');
  const stored = new Map((await database.tickets.find().toArray()).map((ticket) => [ticket._id, ticket]));
  return [...acknowledged].flatMap(([id, { claimedBy, closed }]) => {
    const ticket = stored.get(id);
    if (!ticket) return [`the create of ${id}`];
    if (claimedBy !== null && ticket.claimedBy !== claimedBy) return [`the claim of ${id}`];
    return closed && !ticket.closed ? [`the close of ${id}`] : [];
  });
}

export const row: Row = {
  name: 'embedded-killed',
  promise: 'The embedded database keeps what it acknowledged',
  experiment:
    'The whole service (the API process, the keeper of its mongod and mongod itself, in any order) is killed (SIGKILL) 50 times, 0 to 1.5 s after ' +
    'its start, while 16 callers create, claim and close tickets, and is started again on the same folder. After each start every change that ' +
    'was ever acknowledged must be there, and the start must take less than 15 s',
  async run(scale) {
    const kills = scale === 'full' ? 50 : 2;
    await using folder = await ownFolder();
    const { MONGOD_BINARY, XDG_CACHE_HOME, HOME } = process.env;
    const env = {
      MONGOD_BINARY,
      XDG_CACHE_HOME,
      HOME,
      DATA_DIR: folder.path,
      COUNTERFOIL_KEY: key,
      LOG_LEVEL: 'silent',
    };
    const acknowledged = new Map<string, Acknowledged>();
    const guildId = snowflake();
    const problems: string[] = [];
    const starts: number[] = [];
    const time = keepTime();
    let changes = 0;
    let server = await startServer({ env });
    for (let kill = 1; kill <= kills; kill += 1) {
      const count = () => {
        changes += 1;
        time.count('succeeded');
      };
      const living = Array.from({ length: callers }, () => live(server.url, guildId, acknowledged, count));
      const victims = await processesOf(server.pid ?? 0, folder.path);
      await sleep(Math.random() * mostLoad);
      time.note('SIGKILL');
      for (const pid of victims.toSorted(() => Math.random() - 0.5)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // The group of the keeper ends by itself where mongod ends first.
        }
      }
      await server.exited;
      await Promise.all(living);
      const startedAt = performance.now();
      server = await startServer({ env });
      starts.push(performance.now() - startedAt);
      problems.push(...(await missing(folder.path, acknowledged)).map((what) => `kill ${kill} lost ${what}`));
    }
    await server[Symbol.asyncDispose]();
    const longest = Math.max(...starts);
    if (longest > mostToStart) problems.push(`a start took ${longest.toFixed(0)} ms`);
    if (scale === 'full' && changes < 1000) problems.push(`only ${changes} changes were acknowledged`);
    return {
      passed: problems.length === 0,
      figures: {
        kills,
        'acknowledged changes': changes,
        'of tickets': acknowledged.size,
        missing: problems.filter((problem) => problem.includes(' lost ')).length,
        'longest start': `${(longest / 1000).toFixed(1)} s`,
      },
      problems,
      timeline: time.timeline,
      faults: time.faults,
    };
  },
};
