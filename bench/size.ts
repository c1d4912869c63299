/**
 * Compares calls among many tickets with the same calls among few, in one run: a database of each size on one mongod, a
 * service process over each, every request sent to all, one after the other. Ends with 1 where a page by keyset is too slow.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readConfig } from 'counterfoil/config';
import { type EmbeddedDatabase, startEmbedded } from 'counterfoil/database/embedded';
import { findMongod } from 'counterfoil/database/mongod';
import { mongo } from 'mongoose';
import { load, percentile } from './measure.ts';
import { writeSection } from './page.ts';
import { lists, pageSize, type Read, reads } from './reads.ts';
import { commandOf, describeMachine } from './report.ts';
import { ask, openSide, type Side, secondsSince, walk } from './sides.ts';
import { plotSizes } from './size-plot.ts';

const { values } = parseArgs({
  options: {
    // From the smallest on; `10000,100000,1000000,3000000` takes 16 GB of disk, and more than an hour.
    sizes: { type: 'string', default: '10000,1000000' },
    samples: { type: 'string', default: '1000' },
    warmup: { type: 'string', default: '250' },
    seed: { type: 'string', default: '1' },
    // A folder to keep the databases in, and to take them from where an earlier run has filled them.
    data: { type: 'string' },
    // The folder that the page, its plot and the figures are written to.
    out: { type: 'string', default: 'docs' },
  },
});
const { data, out, ...numbers } = values;
const sizes = numbers.sizes.split(',').map(Number);
const [samples, warmup, seed] = [Number(numbers.samples), Number(numbers.warmup), Number(numbers.seed)];
if (!sizes.every((size, place) => size > (sizes[place - 1] ?? 0))) {
  throw new Error(`--sizes ${numbers.sizes}: expected numbers of tickets, from the smallest on`);
}

/** How much longer a page may take than among the fewest tickets, and how often it is measured until it keeps to that. */
const mostRatio = 1.5;
const mostRounds = 3;

/** Asks for each kind once a turn, of all sides, which take turns to be the first; the milliseconds of each side. */
async function measure(kinds: readonly Read[], sides: Side[], turns: number): Promise<Map<Read, number[][]>> {
  const times = new Map(kinds.map((kind) => [kind, sides.map((): number[] => [])]));
  for (let turn = 0; turn < turns; turn += 1) {
    for (const [kind, timesOfKind] of times) {
      for (let step = 0; step < sides.length; step += 1) {
        const place = (turn + step) % sides.length;
        const side = sides[place];
        if (!side) continue;
        const { body, milliseconds } = await ask(side, kind.path(side, turn), kind.input?.(side, turn));
        timesOfKind[place]?.push(milliseconds);
        if (kind.name === 'create' && body.ticket) side.created.push(body.ticket.ticketShortId);
        const found = body.tickets?.length ?? pageSize;
        if (found !== pageSize) throw new Error(`${kind.name}: a page of ${found} of ${side.name}`);
      }
    }
  }
  return times;
}

interface Result {
  kind: Read;
  round: number;
  /** Of each size. */
  p50: number[];
  p99: number[];
}

/** How many times longer than among the fewest it takes where it takes longest. */
const ratio = ([fewest = Number.NaN, ...others]: number[]) => Math.max(...others) / fewest;
const isTooSlow = ({ kind, p50, p99 }: Result) => kind.isPage && Math.max(ratio(p50), ratio(p99)) > mostRatio;

/** Measures all kinds, and those pages again that were too slow: others may be busy on the same machine. */
async function judge(sides: Side[]): Promise<Result[]> {
  const results = new Map<Read, Result>();
  for (let round = 1; round <= mostRounds; round += 1) {
    const again = reads.filter((kind) => {
      const result = results.get(kind);
      return !result || isTooSlow(result);
    });
    if (again.length === 0) break;
    for (const [kind, times] of await measure(again, sides, samples)) {
      const at = (part: number) => times.map((milliseconds) => percentile(milliseconds, part));
      const result = { kind, round, p50: at(0.5), p99: at(0.99) };
      if (round > 1) console.log(`round ${round}: ${cells(result).join('  ')}`);
      results.set(kind, result);
    }
  }
  return [...results.values()];
}

function remarkOf(result: Result): string {
  const remark = isTooSlow(result) ? 'TOO SLOW' : result.kind.isPage ? '' : 'not a page by keyset';
  return remark + (result.round > 1 ? ` (round ${result.round})` : '');
}

function cells(result: Result): string[] {
  const { kind, p50, p99 } = result;
  const numbers = [...p50, ratio(p50), ...p99, ratio(p99)].map((value) => value.toFixed(2));
  return [kind.name, ...numbers, remarkOf(result)];
}

const named = sizes.map((size) => size.toLocaleString('en'));
const head = [
  'tickets',
  ...named.map((size) => `p50, ${size}`),
  'ratio',
  ...named.map((size) => `p99, ${size}`),
  'ratio',
  '',
];

async function compare(database: EmbeddedDatabase, opened: Side[]): Promise<boolean> {
  const command = commandOf('bench:size');
  const startedAt = new Date().toISOString();
  const client = await new mongo.MongoClient(database.uri, { w: 1, journal: false }).connect();
  try {
    // The build of all indexes at once sorts in memory, and not on the disk.
    await client.db('admin').command({ setParameter: 1, maxIndexBuildMemoryUsageMegabytes: 2000 });
    for (const size of sizes) opened.push(await openSide(client, database.uri, `tickets${size}`, seed, size));
    const walkedAt = performance.now();
    for (const side of opened) await Promise.all(lists.map(([, query]) => walk(side, query)));
    console.log(`walked through ${lists.length} lists of all in ${secondsSince(walkedAt)}`);
    await measure(reads, opened, warmup);
    const results = await judge(opened);
    console.log(`\nMilliseconds, ${samples} requests of each kind and size, pages of ${pageSize}; ${load()}`);
    for (const row of [head, ...results.map(cells)]) {
      console.log(row.map((cell, place) => cell.padEnd(place === 0 ? 34 : 16)).join(''));
    }
    const { version } = await client.db('admin').command({ serverStatus: 1 });
    const figures = results.map(({ kind, p50, p99 }) => ({ name: kind.name, p50, p99 }));
    const section = {
      title: 'Among more tickets',
      command,
      startedAt,
      machine: describeMachine(version, false),
      text: [
        `The same calls among ${named.join(', ')} tickets: a database of each size on one mongod, and a service over each. Each
request was sent to all services in turn, ${samples.toLocaleString('en')} times; milliseconds until the whole answer was there, from one caller.
"Ratio" is how many times longer than among the fewest it took where it took longest. A page by keyset (${pageSize} tickets, of the
largest guild where none is named; "at 95 %" near the end of its list) may take ${mostRatio} times as long, and is measured up to
${mostRounds} times until it does; other calls may take longer among more.`,
      ],
      plot: 'performance-size.svg',
      tables: [{ head, rows: results.map(cells) }],
      figures: { sizes, calls: figures },
    };
    await writeSection(out, 'size', section, plotSizes(sizes, figures));
    return !results.some(isTooSlow);
  } finally {
    await client.close();
  }
}

console.log(commandOf('bench:size'));
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
