/** The callers of a service that is measured: a process of their own, so that they wait for nobody but the service. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Connection, connect, requestOf } from './connection.ts';

/** What the callers do. */
export interface Plan {
  port: number;
  key: string;
  seconds: number;
  /** Requests a second that are sent on schedule, whatever is answered; null: each connection sends when it was answered. */
  rate: number | null;
  /** Connections at most: a request for which none is free is not sent, and counted as such. */
  connections: number;
  /** How many of them are made before the first request. */
  opened: number;
  /** Short ids of tickets, one of which is read by every second request; without any, all are creates. */
  read: string[];
}

/** What became of the requests. */
export interface Tally {
  sent: number;
  unsent: number;
  /** Seconds in which they were sent, and when the last one was, as of Date.now(). */
  seconds: number;
  endedAt: number;
  mostConnections: number;
  /** Seconds of processor time that the callers used. */
  processorTime: number;
  /** Milliseconds until the answer, by its status (0: none), from when each was due and from when it was sent. */
  answers: Map<number, { due: number[]; sent: number[] }>;
  /** The first answers that were not 2xx, 429 or 503. */
  surprises: string[];
}

/** The tickets are spread over this many guilds: each counts its own numbers. */
const guilds = 1000;

/** The create of a ticket that is like no other. */
export function createRequest(key: string, fields: object = {}): string {
  const digits = (first: number, number: number) => `${first}${String(Math.floor(number)).padStart(17, '0')}`;
  const guildId = digits(1, Math.random() * guilds);
  const ticketOwner = digits(2, Math.random() * 1e9);
  return requestOf(key, 'POST', '/tickets/create', { ticketType: 'support', guildId, ticketOwner, ...fields });
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** Calls as planned. */
async function call({ port, key, seconds, rate, connections, opened, read }: Plan): Promise<Tally> {
  const tally: Tally = {
    sent: 0,
    unsent: 0,
    seconds: 0,
    endedAt: 0,
    mostConnections: 0,
    processorTime: 0,
    answers: new Map(),
    surprises: [],
  };
  const idle: Connection[] = [];
  let open = 0;
  let underWay = 0;

  function note(status: number, due: number, sent: number, body: string): void {
    const times = tally.answers.get(status) ?? { due: [], sent: [] };
    tally.answers.set(status, times);
    const now = performance.now();
    times.due.push(now - due);
    times.sent.push(now - sent);
    const expected = (status >= 200 && status < 300) || status === 429 || status === 503;
    if (!expected && tally.surprises.length < 5) tally.surprises.push(`${status} ${body}`);
  }

  /** A connection that carries nothing now; undefined where there are as many as there may be. */
  function freeConnection(): Connection | undefined {
    for (let connection = idle.pop(); connection; connection = idle.pop()) {
      if (connection.isOpen()) return connection;
      open -= 1;
    }
    if (open === connections) return undefined;
    open += 1;
    tally.mostConnections = Math.max(tally.mostConnections, open);
    return connect(port);
  }

  async function send(turn: number, due: number): Promise<void> {
    const connection = freeConnection();
    if (!connection) {
      tally.unsent += 1;
      return;
    }
    const shortId = turn % 2 === 0 ? read[(turn / 2) % read.length] : undefined;
    const request = shortId === undefined ? createRequest(key) : requestOf(key, 'GET', `/tickets/get/id/${shortId}`);
    tally.sent += 1;
    underWay += 1;
    const sent = performance.now();
    await connection.ask(request).then(
      ({ status, body }) => {
        note(status, due, sent, body);
        idle.push(connection);
      },
      (error: Error) => {
        note(0, due, sent, error.message);
        open -= 1;
      },
    );
    underWay -= 1;
  }

  for (; open < opened; open += 1) {
    const connection = connect(port);
    await connection.ask(requestOf(key, 'GET', '/health/live'));
    idle.push(connection);
  }
  tally.mostConnections = open;
  const startedAt = performance.now();
  const end = startedAt + seconds * 1000;
  if (rate === null) {
    const caller = async () => {
      while (performance.now() < end) await send(tally.sent, performance.now());
    };
    await Promise.all(Array.from({ length: connections }, caller));
  } else {
    for (let turn = 0; turn < rate * seconds; await sleep(1)) {
      const dueBy = Math.min(rate * seconds, ((performance.now() - startedAt) / 1000) * rate);
      for (; turn < dueBy; turn += 1) void send(turn, startedAt + (turn / rate) * 1000);
    }
  }
  tally.seconds = (performance.now() - startedAt) / 1000;
  tally.endedAt = Date.now();
  const { user, system } = process.cpuUsage();
  tally.processorTime = (user + system) / 1e6;
  for (const giveUpAt = performance.now() + 30_000; underWay > 0 && performance.now() < giveUpAt; ) await sleep(10);
  if (underWay > 0) tally.surprises.push(`${underWay} requests without an answer 30 s after the end`);
  for (const connection of idle) connection.close();
  return tally;
}

/** Runs callers as a process of their own. */
export async function runCallers(plan: Plan): Promise<Tally> {
  const child = fork(fileURLToPath(import.meta.url), {
    execArgv: ['--import', 'tsx'],
    serialization: 'advanced',
    env: { ...process.env, COUNTERFOIL_CALLERS: '1' },
  });
  child.send(plan);
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the callers ended with ${code}`)));
  const [tally] = (await Promise.race([once(child, 'message'), ended])) as [Tally];
  child.kill();
  await ended.catch(() => {});
  return tally;
}

if (process.env.COUNTERFOIL_CALLERS) {
  process.once('message', async (plan: Plan) => process.send?.(await call(plan)));
}
