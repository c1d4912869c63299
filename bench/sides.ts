import { randomUUID } from 'node:crypto';
import { Agent, request as send } from 'node:http';
import { Ticket, type TicketRecord } from 'counterfoil/tickets/model';
import type { mongo } from 'mongoose';
import { runCli, startServer } from '../tests/server-process.ts';
import { pageSize } from './reads.ts';
import { ticketsFrom } from './tickets.ts';

/** One of the services that are compared, and what is known of its tickets. */
export interface Side {
  name: string;
  url: string;
  tickets: number;
  /** Some of its tickets, from anywhere. */
  known: KnownTicket[];
  /** The cursor of the page at 95 % of each list that was walked through, by the list's query. */
  cursors: Map<string, string>;
  /** Short ids of tickets that were created and that nobody has claimed. */
  created: string[];
  stop(): Promise<void>;
}

interface KnownTicket {
  guildId: string;
  shortId: string;
  ticketName: string;
}

/** What the benchmark looks at in an answer. */
interface Body {
  ticket?: { ticketShortId: string };
  tickets?: unknown[];
  nextCursor?: string | null;
}

const key = `bench-${randomUUID()}`;
const batchSize = 1000;
const knownTickets = 2000;

const whole = (value: number) => Math.round(value).toLocaleString('en');
const mebibytes = (bytes: number) => `${whole(bytes / 2 ** 20)} MiB`;
export const secondsSince = (start: number) => `${whole((performance.now() - start) / 1000)} s`;

/** Inserts the tickets of the generator as they are. */
export async function fill(tickets: mongo.Collection<TicketRecord>, seed: number, count: number): Promise<void> {
  let [batch, writing]: [TicketRecord[], Promise<unknown>] = [[], Promise.resolve()];
  const flush = async () => {
    await writing;
    if (batch.length > 0) writing = tickets.insertMany(batch, { ordered: false });
    batch = [];
    // Lets the batch leave before the next one is generated.
    await new Promise(setImmediate);
  };
  for (const ticket of ticketsFrom(seed, count)) {
    batch.push(ticket);
    if (batch.length === batchSize) await flush();
  }
  await flush();
  await writing;
}

/** Fills a database, unless an earlier run has; answers some of its tickets. */
async function prepare(database: mongo.Db, seed: number, count: number): Promise<KnownTicket[]> {
  const startedAt = performance.now();
  const tickets = database.collection<TicketRecord>(Ticket.collection.name);
  // An earlier run has created some more.
  const isFilled = (await tickets.estimatedDocumentCount()) >= count;
  if (!isFilled) {
    await database.dropDatabase();
    await fill(tickets, seed, count);
  }
  const guilds = [{ $group: { _id: '$guildId', size: { $sum: 1 } } }, { $sort: { size: 1 } }];
  const sizes = await tickets.aggregate<{ size: number }>(guilds).toArray();
  console.log(
    `${database.databaseName}: ${whole(count)} tickets in ${sizes.length} guilds ` +
      `of ${whole(sizes.at(0)?.size ?? 0)} to ${whole(sizes.at(-1)?.size ?? 0)}, ` +
      (isFilled ? 'kept from an earlier run' : `inserted in ${secondsSince(startedAt)}`),
  );
  return tickets.aggregate<KnownTicket>([{ $sample: { size: knownTickets } }]).toArray();
}

/** Fills a database with tickets, makes the indexes as an operator would, and starts a service over it. */
export async function openSide(
  client: mongo.MongoClient,
  uri: string,
  name: string,
  seed: number,
  tickets: number,
): Promise<Side> {
  const database = client.db(name);
  const known = await prepare(database, seed, tickets);
  const startedAt = performance.now();
  const ownUri = Object.assign(new URL(uri), { pathname: name }).href;
  const env = { MONGODB_URI: ownUri, COUNTERFOIL_KEY: key, LOG_LEVEL: 'warn' };
  const { code, stderr } = await runCli(['migrate'], env);
  if (code !== 0) throw new Error(`counterfoil migrate ended with ${code}: ${stderr}`);
  const migratedIn = secondsSince(startedAt);
  const server = await startServer({ env });
  // Files grow at a checkpoint only.
  await client.db('admin').command({ fsync: 1 });
  const { avgObjSize, dataSize, storageSize, indexes, indexSize } = await database.stats();
  console.log(
    `${name}: migrated in ${migratedIn}; ` +
      `${whole(avgObjSize)} bytes a ticket, ${mebibytes(dataSize)} together; ` +
      `on disk ${mebibytes(storageSize)}, and ${indexes} indexes of ${mebibytes(indexSize)}`,
  );
  return {
    name,
    url: server.url,
    tickets,
    known,
    cursors: new Map(),
    created: [],
    stop: () => server[Symbol.asyncDispose](),
  };
}

const agent = new Agent({ keepAlive: true });

/** The answer to a GET, or to a command with its input, and the milliseconds until the end of its body; throws where it is no success. */
export function ask({ url }: Side, path: string, input?: object): Promise<{ body: Body; milliseconds: number }> {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const headers = { authorization: key, ...(input && { 'content-type': 'application/json' }) };
    const request = send(url + path, { agent, method: input ? 'POST' : 'GET', headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const milliseconds = performance.now() - startedAt;
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 200) resolve({ body: JSON.parse(text), milliseconds });
        else reject(new Error(`${response.statusCode} of ${path}: ${text}`));
      });
    });
    request.on('error', reject);
    request.end(input && JSON.stringify(input));
  });
}

/** Walks through a list as a caller would, and keeps the cursor of the page at 95 %. */
export async function walk(side: Side, query: string): Promise<void> {
  const step = Math.min(100, Math.ceil(side.tickets / 1000));
  const cursors: string[] = [];
  let count = 0;
  let cursor: string | null = null;
  do {
    const { body } = await ask(side, `/tickets?${query}&limit=${step}${cursor ? `&cursor=${cursor}` : ''}`);
    count += body.tickets?.length ?? 0;
    cursor = body.nextCursor ?? null;
    if (cursor) cursors.push(cursor);
  } while (cursor);
  const place = Math.min(count * 0.95, count - pageSize);
  const found = cursors[Math.floor(place / step) - 1];
  if (!found) throw new Error(`${side.name} has only ${count} tickets of ${query}`);
  side.cursors.set(query, found);
}
