/**
 * Compares reads among many tickets with the same reads among few, in one run: two databases on one mongod, a service
 * process over each, every request sent to both, one after the other. Ends with 1 where a page by keyset is too slow.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from 'counterfoil/config';
import { type EmbeddedDatabase, startEmbedded } from 'counterfoil/database/embedded';
import { findMongod } from 'counterfoil/database/mongod';
import { mongo } from 'mongoose';
import { percentile } from './measure.ts';
import { lists, pageSize, type Read, reads } from './reads.ts';
import { ask, openSide, type Side, secondsSince, walk } from './sides.ts';

const { values } = parseArgs({
  options: {
    large: { type: 'string', default: '1000000' },
    small: { type: 'string', default: '10000' },
    samples: { type: 'string', default: '1000' },
    warmup: { type: 'string', default: '250' },
    seed: { type: 'string', default: '1' },
    // A folder to keep the databases in, and to take them from where an earlier run has filled them.
    data: { type: 'string' },
  },
});
const { data, ...numbers } = values;
const options = Object.fromEntries(Object.entries(numbers).map(([name, value]) => [name, Number(value)]));
const { large = 0, small = 0, samples = 0, warmup = 0, seed = 0 } = options;

/** How much longer a page may take among many tickets, and how often it is measured until it keeps to that. */
const mostRatio = 1.5;
const mostRounds = 3;

/** The milliseconds of one kind of read, among few and among many. */
type Times = [few: number[], many: number[]];

/** Asks for each kind once a turn, of both sides, which take turns to be the first. */
async function measure(kinds: readonly Read[], sides: [Side, Side], turns: number): Promise<Map<Read, Times>> {
  const times = new Map(kinds.map((kind) => [kind, [[], []] as Times]));
  for (let turn = 0; turn < turns; turn += 1) {
    for (const [kind, timesOfKind] of times) {
      for (const place of turn % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        const { body, milliseconds } = await ask(sides[place], kind.path(sides[place], turn));
        timesOfKind[place].push(milliseconds);
        const found = body.tickets?.length ?? pageSize;
        if (found !== pageSize) throw new Error(`${kind.name}: a page of ${found} of ${sides[place].name}`);
      }
    }
  }
  return times;
}

interface Result {
  kind: Read;
  round: number;
  p50: [few: number, many: number];
  p99: [few: number, many: number];
}

const ratio = ([few, many]: [number, number]) => many / few;
const isTooSlow = ({ kind, p50, p99 }: Result) => kind.isPage && Math.max(ratio(p50), ratio(p99)) > mostRatio;

/** Measures all kinds, and those pages again that were too slow: others may be busy on the same machine. */
async function judge(sides: [Side, Side]): Promise<Result[]> {
  const results = new Map<Read, Result>();
  for (let round = 1; round <= mostRounds; round += 1) {
    const again = reads.filter((kind) => {
      const result = results.get(kind);
      return !result || isTooSlow(result);
    });
    if (again.length === 0) break;
    for (const [kind, [few, many]] of await measure(again, sides, samples)) {
      const at = (part: number): [number, number] => [percentile(few, part), percentile(many, part)];
      const result = { kind, round, p50: at(0.5), p99: at(0.99) };
      if (round > 1) console.log(`round ${round}: ${line(result)}`);
      results.set(kind, result);
    }
  }
  return [...results.values()];
}

const cells = (name: string, ...numbers: string[]) =>
  [name.padEnd(34), ...numbers.map((cell) => cell.padStart(11))].join('');

function line(result: Result): string {
  const { kind, round, p50, p99 } = result;
  const numbers = [...p50, ratio(p50), ...p99, ratio(p99)].map((value) => value.toFixed(2));
  const remark = isTooSlow(result) ? '  TOO SLOW' : kind.isPage ? '' : '  not a page by keyset';
  return cells(kind.name, ...numbers) + (round > 1 ? `  in round ${round}` : '') + remark;
}

function print(results: Result[]): void {
  const [few, many] = [small, large].map((count) => count.toLocaleString('en'));
  const load = `${loadavg()[1]?.toFixed(1)} processes on ${availableParallelism()} processors`;
  console.log(`\nMilliseconds, ${samples.toLocaleString('en')} requests of each kind and size, pages of ${pageSize};`);
  console.log(`the load of the machine in the last five minutes: ${load}.`);
  console.log(cells('', 'p50', 'p50', '', 'p99', 'p99', ''));
  console.log(cells('tickets', `${few}`, `${many}`, 'ratio', `${few}`, `${many}`, 'ratio'));
  for (const result of results) console.log(line(result));
}

async function compare(database: EmbeddedDatabase, opened: Side[]): Promise<boolean> {
  const client = await new mongo.MongoClient(database.uri, { w: 1, journal: false }).connect();
  try {
    // The build of all indexes at once sorts in memory, and not on the disk.
    await client.db('admin').command({ setParameter: 1, maxIndexBuildMemoryUsageMegabytes: 2000 });
    const few = await openSide(client, database.uri, 'small', seed, small);
    opened.push(few);
    const many = await openSide(client, database.uri, 'large', seed, large);
    opened.push(many);
    const walkedAt = performance.now();
    for (const side of opened) await Promise.all(lists.map(([, query]) => walk(side, query)));
    console.log(`walked through ${lists.length} lists of both in ${secondsSince(walkedAt)}`);
    await measure(reads, [few, many], warmup);
    const results = await judge([few, many]);
    print(results);
    return !results.some(isTooSlow);
  } finally {
    await client.close();
  }
}

console.log(
  `npm run bench:size -- ${Object.entries(values)
    .map(([name, value]) => `--${name} ${value}`)
    .join(' ')}`,
);
console.log(`Node ${process.versions.node}`);
const folder = data ?? (await mkdtemp(join(tmpdir(), 'counterfoil-bench-')));
const report = (text: string) => console.error(text);
const mongod = await findMongod({ ...readConfig(), report });
const database = await startEmbedded({ dataDir: folder, mongod, report });
const opened: Side[] = [];
const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => reject(new Error(`ended by ${signal}`)));
});
try {
  const inBounds = await Promise.race([compare(database, opened), interrupted]);
  process.exitCode = inBounds ? 0 : 1;
} finally {
  for (const side of opened) await side.stop();
  await database.stop();
  if (data === undefined) await rm(folder, { recursive: true });
}
process.exit();
