/**
 * Measures the service beside servers written by hand that do the same work on the same database: throughput, waiting
 * times, processor time and memory, for a read, a create and a claim. Ends with 1 where they do not answer the same.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from 'counterfoil/config';
import { type EmbeddedDatabase, startEmbedded } from 'counterfoil/database/embedded';
import { findMongod } from 'counterfoil/database/mongod';
import type { KeyRecord } from 'counterfoil/keys/model';
import { hashKey, makeKey } from 'counterfoil/keys/secret';
import type { TicketRecord } from 'counterfoil/tickets/model';
import { mongo } from 'mongoose';
import { runCli } from '../tests/server-process.ts';
import { type Contestant, leaveProcessor, startContestants } from './contestants.ts';
import { type Kind, kinds, type Outcome, startLoad } from './load.ts';
import { load as loadOfMachine, memoryOf, processorTimeOf } from './measure.ts';
import { newTicket } from './peers/documents.ts';
import { compareWithPeers, describeMachine, markdown, plot, type Sample, summarize, table } from './report.ts';
import { requireSame } from './same.ts';
import { runBench } from './service.ts';
import { fill, secondsSince } from './sides.ts';

const { values } = parseArgs({
  options: {
    tickets: { type: 'string', default: '100000' },
    connections: { type: 'string', default: '1,32,128' },
    rounds: { type: 'string', default: '10' },
    // Of each slice: one server, one kind of request.
    seconds: { type: 'string', default: '1' },
    // Requests of each server before anything is measured.
    warmup: { type: 'string', default: '10000' },
    // The folder that the page, its plot and the figures are written to.
    out: { type: 'string', default: 'docs' },
  },
});

/** The numbers of an option; throws where one is none, or not above 0. */
function numbersOf(name: Exclude<keyof typeof values, 'out'>): number[] {
  const numbers = values[name].split(',').map(Number);
  if (numbers.every((number) => number > 0)) return numbers;
  throw new Error(`--${name} ${values[name]}: expected ${name === 'connections' ? 'numbers' : 'a number'} above 0`);
}

const [count = 0] = numbersOf('tickets');
const [rounds = 0] = numbersOf('rounds');
const [seconds = 0] = numbersOf('seconds');
const [warmup = 0] = numbersOf('warmup');
const connectionCounts = numbersOf('connections');
const command = `npm run bench${process.argv
  .slice(2)
  .map((argument, place) => `${place === 0 ? ' -- ' : ' '}${argument}`)
  .join('')}`;

type Load = Awaited<ReturnType<typeof startLoad>>;
type Tickets = mongo.Collection<TicketRecord>;

/** Runs mongod with a database of many tickets, migrated as an operator would, and one key. */
async function startDatabase(folder: string) {
  const report = (text: string) => console.error(text);
  const mongod = await findMongod({ ...readConfig(), report });
  const database = await startEmbedded({ dataDir: folder, mongod, report });
  const client = await new mongo.MongoClient(database.uri, { w: 1, journal: false }).connect();
  return {
    ...database,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await database.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function prepare({ client, uri }: { client: mongo.MongoClient } & EmbeddedDatabase) {
  const startedAt = performance.now();
  const tickets: Tickets = client.db().collection<TicketRecord>('tickets');
  await fill(tickets, 1, count);
  const shortIds = await tickets
    .find({}, { projection: { _id: 0, shortId: 1 } })
    .map(({ shortId }) => shortId)
    .toArray();
  const { code, stderr } = await runCli(['migrate'], { MONGODB_URI: uri });
  if (code !== 0) throw new Error(`counterfoil migrate ended with ${code}: ${stderr}`);
  const { keyId, key } = makeKey();
  await client
    .db()
    .collection<KeyRecord>('keys')
    .insertOne({
      _id: keyId,
      name: 'benchmark',
      scope: 'write',
      guildIds: null,
      secrets: [{ hash: hashKey(key), validUntil: null }],
      rateLimit: null,
      createdAt: new Date(),
      expiresAt: null,
      lastUsedAt: null,
      revokedAt: null,
    });
  console.log(`${shortIds.length} tickets inserted and indexed in ${secondsSince(startedAt)}`);
  return { tickets, shortIds, key, keyId };
}

/** Tickets that nobody has claimed, made beforehand. */
function createStock(tickets: Tickets, keyId: string) {
  const stock: string[] = [];
  let made = 0;
  return {
    async keep(needed: number): Promise<void> {
      while (stock.length < needed) {
        const batch = Array.from({ length: 1000 }, () => {
          made += 1;
          const guildId = `6${String(made % 1000).padStart(17, '0')}`;
          const input = { ticketType: 'support', guildId, ticketOwner: '200000000000000001', ticketData: '{"a":"b"}' };
          return newTicket(keyId, input, Math.ceil(made / 1000));
        });
        // Confirmed, or a majority read would not find it yet.
        await tickets.insertMany(batch, { ordered: false, writeConcern: { w: 'majority', j: true } });
        stock.push(...batch.map(({ shortId }) => shortId));
      }
    },
    take: (number: number) => stock.splice(-number),
    putBack: (shortIds: string[]) => stock.push(...shortIds),
  };
}
type Stock = ReturnType<typeof createStock>;

/** Claims that a server can be expected to answer in a second, at most. */
const mostClaims = 4000;

interface Bench {
  load: Load;
  stock: Stock;
  mongodPid: number;
}

/** Lets one server answer for a while; what it, mongod and the load used meanwhile. */
async function slice(
  { load, stock, mongodPid }: Bench,
  { port, pid }: Contestant,
  kind: Kind,
  connections: number,
  limit: { seconds: number; requests: number },
): Promise<Outcome & { server: number; mongod: number }> {
  const fresh = kind === 'claim' ? stock.take(Math.min(limit.requests, mostClaims * limit.seconds)) : [];
  const go = await load.open({ port, kind, connections, fresh, ...limit });
  const [serverBefore, mongodBefore] = [await processorTimeOf(pid), await processorTimeOf(mongodPid)];
  const outcome = await go();
  const [server, mongod] = [await processorTimeOf(pid), await processorTimeOf(mongodPid)];
  stock.putBack(fresh.slice(0, fresh.length - outcome.requests));
  return { ...outcome, server: server - serverBefore, mongod: mongod - mongodBefore };
}

async function warmUp(bench: Bench, contestants: Contestant[]): Promise<void> {
  const startedAt = performance.now();
  const requests = Math.ceil(warmup / kinds.length);
  // All connections to the database are made, too.
  const most = Math.max(...connectionCounts);
  for (const contestant of contestants) {
    await bench.stock.keep(requests);
    for (const kind of kinds) await slice(bench, contestant, kind, most, { seconds: 600, requests });
  }
  console.log(`warmed up with ${warmup} requests each in ${secondsSince(startedAt)}`);
}

/** The contestants of a round: each is the first, the second and so on equally often. */
function turns(contestants: Contestant[], round: number): Contestant[] {
  const first = round % contestants.length;
  const rotated = [...contestants.slice(first), ...contestants.slice(0, first)];
  return Math.floor(round / contestants.length) % 2 === 0 ? rotated : rotated.reverse();
}

async function measure(bench: Bench, contestants: Contestant[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  const limit = { seconds, requests: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    for (const connections of connectionCounts) {
      for (const kind of kinds) {
        if (kind === 'claim') await bench.stock.keep(mostClaims * seconds + 1000 * seconds * contestants.length);
        for (const contestant of turns(contestants, round)) {
          const outcome = await slice(bench, contestant, kind, connections, limit);
          samples.push({
            name: contestant.name,
            kind,
            connections,
            round,
            rate: outcome.requests / outcome.seconds,
            p50: outcome.p50,
            p99: outcome.p99,
            processorTime: (outcome.server * 1e6) / outcome.requests,
            serverShare: outcome.server / outcome.seconds,
            loadShare: outcome.processorTime / outcome.seconds,
            mongodShare: outcome.mongod / outcome.seconds,
          });
        }
      }
    }
    console.log(`round ${round + 1} of ${rounds} in ${secondsSince(startedAt)}; ${loadOfMachine()}`);
  }
  return samples;
}

await runBench(async (own) => {
  console.log(command);
  const startedAt = new Date();
  const loadBefore = loadavg();
  const pinned = await leaveProcessor();
  const database = own(await startDatabase(await mkdtemp(join(tmpdir(), 'counterfoil-bench-'))));
  const { tickets, shortIds, key, keyId } = await prepare(database);
  const contestants = await startContestants(database.uri, own);
  await requireSame(contestants, key, tickets, shortIds[0] ?? '');
  console.log('all answer and store the same');
  const { pid, version } = await database.client.db('admin').command({ serverStatus: 1 });
  const load = own(await startLoad({ key, shortIds }));
  const bench: Bench = { load, stock: createStock(tickets, keyId), mongodPid: Number(pid) };
  await warmUp(bench, contestants);
  const samples = await measure(bench, contestants);
  const memory = await Promise.all(
    contestants.map(async ({ name, pid, idleMemory }) => ({
      name,
      idle: idleMemory,
      afterLoad: await memoryOf(pid),
    })),
  );
  const results = {
    command,
    startedAt: startedAt.toISOString(),
    machine: describeMachine(version, pinned),
    loadAverage: { before: loadBefore[0] ?? 0, after: loadavg()[0] ?? 0 },
    settings: { tickets: count, rounds, seconds, warmup },
    memory,
    standings: compareWithPeers(samples),
    figures: summarize(samples),
  };
  console.log(table(results));
  await mkdir(values.out, { recursive: true });
  await writeFile(join(values.out, 'performance.json'), `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(values.out, 'performance.svg'), plot(results));
  await writeFile(join(values.out, 'performance.md'), markdown(results));
  return true;
});
