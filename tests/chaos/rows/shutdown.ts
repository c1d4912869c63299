import { randomUUID } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '../../server-process.ts';
import { snowflake } from '../../snowflake.ts';
import { type Attempt, atRate, attempt, newTicket, tally } from '../caller.ts';
import { key, openDatabase, ownFolder, startMember } from '../one-member.ts';
import type { Row } from '../row.ts';

const rate = 200;
/** Connections that are kept from one request to the next; every tenth request makes one of its own. */
const kept = 16;
/** Milliseconds of load before the signal, and those that the process has to end. */
const before = 800;
const mostToEnd = 25_000;

interface Sent {
  id: string;
  ticketId: string | null;
  sentAt: number;
  endedAt: number;
  attempt: Attempt;
}

/** Ends a service under load; answers what was sent, when it stopped being ready, and how it ended. */
async function end(uri: string, logPath: string) {
  const log = await open(logPath, 'w');
  const server = await startServer({ env: { MONGODB_URI: uri, COUNTERFOIL_KEY: key }, logFile: log.fd });
  const agent = new Agent({ keepAlive: true, maxSockets: kept });
  const guildId = snowflake();
  const known = newTicket(guildId);
  await attempt(server.url, { path: '/tickets/create', input: known });
  const sent: Sent[] = [];
  let hasEnded = false;
  let [notReadyAt, signalledAt, endedAt] = [Number.POSITIVE_INFINITY, 0, 0];

  async function call(turn: number) {
    const input = turn % 2 === 0 ? newTicket(guildId) : null;
    const id = randomUUID();
    const read = { path: `/tickets/get/id/${known.ticketShortId}`, id };
    const sentAt = performance.now();
    const request = input ? { path: '/tickets/create', input, id } : read;
    const answer = await attempt(server.url, request, turn % 10 === 0 ? undefined : agent);
    sent.push({ id, ticketId: input?.ticketId ?? null, sentAt, endedAt: performance.now(), attempt: answer });
  }
  async function probe() {
    while (notReadyAt === Number.POSITIVE_INFINITY && !hasEnded) {
      const { status } = await attempt(server.url, { path: '/health/ready' });
      if (status === 503) notReadyAt = performance.now();
      await sleep(20);
    }
  }
  async function stop() {
    await sleep(before);
    signalledAt = performance.now();
    server.kill('SIGTERM');
    const code = await Promise.race([server.exited, sleep(mostToEnd + 5000, 'did not end', { ref: false })]);
    endedAt = performance.now();
    hasEnded = true;
    return code;
  }
  const [code] = await Promise.all([stop(), probe(), atRate(rate, () => hasEnded, call)]);
  agent.destroy();
  await server[Symbol.asyncDispose]();
  await log.close();
  const begun = new Set([...(await readFile(logPath, 'utf8')).matchAll(/"requestId":"([^"]+)"/g)].map(([, id]) => id));
  return { sent, begun, notReadyAt, endsIn: endedAt - signalledAt, code };
}

/** What a shutdown must not do, where it did. */
async function judge(uri: string, { sent, begun, notReadyAt, endsIn, code }: Awaited<ReturnType<typeof end>>) {
  const problems: string[] = [];
  if (code !== 0) problems.push(`it ended with ${code}`);
  if (endsIn > mostToEnd) problems.push(`it ended after ${endsIn.toFixed(0)} ms`);
  const answered = sent.filter((one) => one.attempt.code === null);
  const unanswered = sent.filter((one) => one.attempt.code !== null);
  for (const { attempt } of answered) {
    if (attempt.status !== 200) problems.push(`an answer of ${attempt.status} ${JSON.stringify(attempt.body)}`);
  }
  const firstUnanswered = Math.min(...unanswered.map((one) => one.endedAt));
  if (!(notReadyAt < firstUnanswered)) problems.push('a request found no answer before /health/ready said 503');
  // What the service began to work on is in its log or in the database.
  await using database = openDatabase(uri);
  const ids = unanswered.flatMap(({ ticketId }) => ticketId ?? []);
  const stored = new Set((await database.tickets.find({ _id: { $in: ids } }).toArray()).map(({ _id }) => _id));
  for (const { id, ticketId, attempt } of unanswered) {
    if (begun.has(id) || stored.has(ticketId ?? ''))
      problems.push(`accepted and not answered: ${id} (${attempt.code})`);
  }
  return problems;
}

export const row: Row = {
  name: 'shutdown',
  promise: 'A shutdown loses nothing',
  experiment:
    'SIGTERM under 200 requests a second (half of them creates; over 16 kept connections, every tenth over a new one, none sent again), 50 times. ' +
    '/health/ready must say 503 before any request finds no answer, every accepted request must be answered with 200, and the process must end with ' +
    '0 within 25 s. Accepted is what the service began to work on: what is in its log or in the database. Requests that were refused, or reset ' +
    'with a connection that it was just closing or had not taken, left no trace in either, and are counted',
  async run(scale) {
    const times = scale === 'full' ? 50 : 2;
    await using member = await startMember();
    await using folder = await ownFolder();
    const uri = member.uri('shutdown');
    const runs = [];
    const problems: string[] = [];
    for (let time = 0; time < times; time += 1) {
      const run = await end(uri, join(folder.path, 'log'));
      problems.push(...(await judge(uri, run)));
      runs.push(run);
    }
    const sent = runs.flatMap((run) => run.sent);
    const notAnswered = sent.flatMap(({ attempt }) => attempt.code ?? []);
    const longest = Math.max(...runs.map(({ endsIn }) => endsIn));
    return {
      passed: problems.length === 0,
      figures: {
        shutdowns: times,
        requests: sent.length,
        answered: sent.length - notAnswered.length,
        'without an answer, and without a trace': tally(notAnswered),
        'longest end': `${(longest / 1000).toFixed(2)} s`,
      },
      problems,
    };
  },
};
