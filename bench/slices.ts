import { type Contestant, ours } from './contestants.ts';
import type { Tickets } from './database.ts';
import { batchSize, type Kind, type Outcome, restKinds, type startLoad } from './load.ts';
import { load as loadOfMachine, processorTimeOf } from './measure.ts';
import { newTicket } from './peers/documents.ts';
import type { Sample } from './report.ts';
import { secondsSince } from './sides.ts';

/** Tickets that nobody has claimed, made beforehand. */
export function createStock(tickets: Tickets, keyId: string) {
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

/** Claims that a server can be expected to answer in a second, at most. */
const mostClaims = 4000;

/** What a measurement works with. */
export interface Bench {
  load: Awaited<ReturnType<typeof startLoad>>;
  stock: ReturnType<typeof createStock>;
  mongodPid: number;
  contestants: Contestant[];
}

/** What is measured: so many rounds, in each of which every contestant has so many seconds for each kind and each number of connections. */
export interface Extent {
  kinds: readonly Kind[];
  connectionCounts: number[];
  rounds: number;
  seconds: number;
  /** Requests of each server before anything is measured. */
  warmup: number;
}

/** Failures in one slice that end the measurement. */
const mostFailures = 3;

/** Lets one server answer for a while; what it, mongod and the load used meanwhile. Throws where the service fails, or a peer often does. */
async function slice(
  { load, stock, mongodPid }: Bench,
  { name, port, pid, batchedRead }: Contestant,
  kind: Kind,
  connections: number,
  limit: { seconds: number; requests: number },
): Promise<Outcome & { server: number; mongod: number }> {
  const fresh = kind === 'claim' ? stock.take(Math.min(limit.requests, mostClaims * limit.seconds)) : [];
  const go = await load.open({ port, kind, connections, fresh, batchedRead, ...limit });
  const [serverBefore, mongodBefore] = [await processorTimeOf(pid), await processorTimeOf(mongodPid)];
  const outcome = await go();
  const [server, mongod] = [await processorTimeOf(pid), await processorTimeOf(mongodPid)];
  const { failures } = outcome;
  if (failures.length > 0) console.error(`${name}: ${failures.length} failures, the first: ${failures[0]}`);
  if (failures.length > (name === ours ? 0 : mostFailures)) throw new Error(`${name} failed: ${failures[0]}`);
  stock.putBack(fresh.slice(0, fresh.length - outcome.requests - failures.length));
  return { ...outcome, server: server - serverBefore, mongod: mongod - mongodBefore };
}

function takes({ batchedRead }: Contestant, kind: Kind): boolean {
  return kind !== 'batch' || batchedRead !== null;
}

async function warmUp(bench: Bench, { kinds, connectionCounts, warmup }: Extent): Promise<void> {
  const startedAt = performance.now();
  const requests = Math.ceil(warmup / restKinds.length);
  // With most connections, so that those to the database are made, and with fewest, as much else is done for a call alone.
  const [fewest, most] = [Math.min(...connectionCounts), Math.max(...connectionCounts)];
  for (const contestant of bench.contestants) {
    await bench.stock.keep(2 * requests + mostClaims * 3);
    for (const kind of kinds) {
      if (!takes(contestant, kind)) continue;
      await slice(bench, contestant, kind, most, { seconds: 600, requests });
      await slice(bench, contestant, kind, fewest, { seconds: 3, requests });
    }
  }
  console.log(`warmed up with ${warmup} requests each in ${secondsSince(startedAt)}`);
}

/** The contestants of a round: each is the first, the second and so on equally often. */
function turns(contestants: Contestant[], round: number): Contestant[] {
  const first = round % contestants.length;
  const rotated = [...contestants.slice(first), ...contestants.slice(0, first)];
  return Math.floor(round / contestants.length) % 2 === 0 ? rotated : rotated.reverse();
}

/** Measures the contestants in turn, after they have answered some requests that do not count. */
export async function measure(bench: Bench, extent: Extent): Promise<Sample[]> {
  await warmUp(bench, extent);
  const { kinds, connectionCounts, rounds, seconds } = extent;
  const samples: Sample[] = [];
  const limit = { seconds, requests: Number.POSITIVE_INFINITY };
  for (let round = 0; round < rounds; round += 1) {
    const startedAt = performance.now();
    for (const connections of connectionCounts) {
      for (const kind of kinds) {
        const taking = bench.contestants.filter((contestant) => takes(contestant, kind));
        if (kind === 'claim') await bench.stock.keep(mostClaims * seconds + 1000 * seconds * taking.length);
        for (const contestant of turns(taking, round)) {
          const outcome = await slice(bench, contestant, kind, connections, limit);
          const calls = outcome.requests * (kind === 'batch' ? batchSize : 1);
          samples.push({
            name: contestant.name,
            kind,
            connections,
            round,
            rate: calls / outcome.seconds,
            p50: outcome.p50,
            p99: outcome.p99,
            processorTime: (outcome.server * 1e6) / calls,
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
