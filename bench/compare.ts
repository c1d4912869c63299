/**
 * Measures the service beside servers written by hand that do the same work on the same database: throughput, waiting
 * times, processor time and memory, for a read, a create, a claim and a batch. Ends with 1 where they do not answer the same.
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { leaveProcessor, startContestants } from './contestants.ts';
import { prepare, startDatabase } from './database.ts';
import { kinds, startLoad } from './load.ts';
import { memoryOf } from './measure.ts';
import { writeResults } from './page.ts';
import { commandOf, compareWithPeers, describeMachine, plot, summarize, table } from './report.ts';
import { requireSame } from './same.ts';
import { runBench } from './service.ts';
import { type Bench, createStock, measure } from './slices.ts';

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
const command = commandOf('bench');

await runBench(async (own) => {
  console.log(command);
  const startedAt = new Date();
  const loadBefore = loadavg();
  const pinned = await leaveProcessor();
  const database = own(await startDatabase());
  const { tickets, shortIds, key, keyId } = await prepare(database, count);
  const contestants = await startContestants(database.uri, own);
  await requireSame(contestants, key, tickets, shortIds[0] ?? '');
  console.log('all answer and store the same');
  const { pid, version } = await database.client.db('admin').command({ serverStatus: 1 });
  const load = own(await startLoad({ key, shortIds }));
  const bench: Bench = { load, stock: createStock(tickets, keyId), mongodPid: Number(pid), contestants };
  const samples = await measure(bench, { kinds, connectionCounts, rounds, seconds, warmup });
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
  await writeResults(values.out, results, plot(results));
  return true;
});
