/** The load of the side-by-side benchmark: a process of its own, so that it waits for nobody but the server. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createRequest } from './callers.ts';
import { type Connection, connect, requestOf } from './connection.ts';
import { percentile } from './measure.ts';

export const restKinds = ['read', 'create', 'claim'] as const;
/** A batch is that of tRPC: several reads by one request. */
export const kinds = [...restKinds, 'batch'] as const;
export type Kind = (typeof kinds)[number];

/** Reads of a batch: as many as the service takes. */
export const batchSize = 10;

/** What is asked of one server, each connection sending its next request when it was answered. */
export interface Slice {
  port: number;
  kind: Kind;
  connections: number;
  /** What a read is called by tRPC's callers; null where there is no tRPC. */
  batchedRead: string | null;
  /** It ends after so many seconds, or so many requests. */
  seconds: number;
  requests: number;
  /** Short ids of tickets that nobody has claimed: each is claimed once. */
  fresh: string[];
}

export interface Outcome {
  requests: number;
  seconds: number;
  /** Milliseconds from when a request was sent until its answer was there. */
  p50: number;
  p99: number;
  /** Seconds of processor time that the load itself used. */
  processorTime: number;
  /** What was answered with another status than 200; not among the requests. */
  failures: string[];
}

/** What the load knows all the time: the key, and the short ids of which each read takes any. */
interface Setup {
  key: string;
  shortIds: string[];
}

type Order = { setup: Setup } | { open: Slice } | { go: true };

const digits = (first: number, below: number) =>
  `${first}${String(Math.floor(Math.random() * below)).padStart(17, '0')}`;
const ticketData = '{"topic":"billing","order":1042,"text":"The order has not arrived, and nobody answers my mails."}';

const anyOf = (shortIds: string[]) => shortIds[Math.floor(Math.random() * shortIds.length)] ?? '';

function readRequest({ key, shortIds }: Setup): string {
  return requestOf(key, 'GET', `/tickets/get/id/${anyOf(shortIds)}`);
}

/** Reads by one request, as tRPC's own client sends them. */
export function batchRequest(key: string, procedure: string, shortIds: string[]): string {
  const inputs = Object.fromEntries(shortIds.map((shortId, place) => [place, { shortId }]));
  const calls = shortIds.map(() => procedure).join(',');
  return requestOf(key, 'GET', `/trpc/${calls}?batch=1&input=${encodeURIComponent(JSON.stringify(inputs))}`);
}

/** The next request; undefined where there is nothing left to claim. */
function nextRequest(setup: Setup, { kind, fresh, batchedRead }: Slice): string | undefined {
  if (kind === 'read') return readRequest(setup);
  if (kind === 'batch') {
    const shortIds = Array.from({ length: batchSize }, () => anyOf(setup.shortIds));
    return batchRequest(setup.key, batchedRead ?? '', shortIds);
  }
  if (kind === 'create') return createRequest(setup.key, { guildId: digits(5, 1000), ticketData });
  const shortId = fresh.pop();
  return shortId && requestOf(setup.key, 'POST', '/tickets/claim', { shortId, discordId: digits(3, 1000) });
}

/** Opens the connections, each with a read that is not counted. */
async function open(setup: Setup, { port, connections }: Slice): Promise<Connection[]> {
  const opened = Array.from({ length: connections }, () => connect(port));
  await Promise.all(opened.map((connection) => connection.ask(readRequest(setup))));
  return opened;
}

async function run(setup: Setup, slice: Slice, opened: Connection[]): Promise<Outcome> {
  const milliseconds: number[] = [];
  const failures: string[] = [];
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const end = startedAt + slice.seconds * 1000;
  let sent = 0;
  const caller = async (connection: Connection) => {
    for (;;) {
      const sentAt = performance.now();
      const request = sentAt < end && sent < slice.requests ? nextRequest(setup, slice) : undefined;
      if (request === undefined) return;
      sent += 1;
      const { status, body } = await connection.ask(request);
      if (status === 200) milliseconds.push(performance.now() - sentAt);
      else failures.push(`${status} of ${request.split('\r\n')[0]}: ${body}`);
    }
  };
  await Promise.all(opened.map(caller));
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(before);
  for (const connection of opened) connection.close();
  return {
    requests: milliseconds.length,
    seconds,
    p50: percentile(milliseconds, 0.5),
    p99: percentile(milliseconds, 0.99),
    processorTime: (user + system) / 1e6,
    failures,
  };
}

/** Takes the orders of the process that started this one, one at a time. */
function serve(): void {
  let setup: Setup = { key: '', shortIds: [] };
  let slice: Slice | undefined;
  let opened: Connection[] = [];
  process.on('message', async (order: Order) => {
    if ('setup' in order) setup = order.setup;
    else if ('open' in order) {
      slice = order.open;
      opened = await open(setup, slice);
    }
    process.send?.('go' in order && slice ? await run(setup, slice, opened) : {});
  });
}

/** Starts the process of the load. */
export async function startLoad(setup: Setup) {
  const child = fork(fileURLToPath(import.meta.url), {
    execArgv: ['--import', 'tsx'],
    serialization: 'advanced',
    env: { ...process.env, COUNTERFOIL_LOAD: '1' },
  });
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the load ended with ${code}`)));
  ended.catch(() => {});

  async function tell(order: Order): Promise<unknown> {
    const answered = once(child, 'message');
    child.send(order);
    return (await Promise.race([answered, ended]))[0];
  }

  await tell({ setup });
  return {
    /** Opens the connections of a slice; answers a function that sends its requests. */
    async open(slice: Slice): Promise<() => Promise<Outcome>> {
      await tell({ open: slice });
      return async () => (await tell({ go: true })) as Outcome;
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended.catch(() => {});
    },
  };
}

if (process.env.COUNTERFOIL_LOAD) serve();
