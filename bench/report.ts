import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, release, totalmem, type } from 'node:os';
import { descriptions, ours, reference } from './contestants.ts';
import { type Kind, kinds } from './load.ts';
import { percentile, processors } from './measure.ts';
import { nodeOptions } from './service.ts';

/** One slice of the measurement. */
export interface Sample {
  name: string;
  kind: Kind;
  connections: number;
  round: number;
  /** Calls a second: a batch is ten. */
  rate: number;
  /** Milliseconds of a request. */
  p50: number;
  p99: number;
  /** Microseconds of processor time of the server, a call. */
  processorTime: number;
  /** Parts of one processor. */
  serverShare: number;
  loadShare: number;
  mongodShare: number;
}

/** The median of some rounds, and between which values the middle half of them lies. */
export interface Middle {
  median: number;
  from: number;
  to: number;
}

/** What was measured of one server, one kind of request and one number of connections; ratios are to A in the same round. */
interface Figure {
  name: string;
  kind: Kind;
  connections: number;
  rate: Middle;
  p50: Middle;
  p99: Middle;
  processorTime: Middle;
  rateRatio: Middle;
  p50Ratio: Middle;
  processorTimeRatio: Middle;
  serverShare: number;
  loadShare: number;
  mongodShare: number;
}

/** Our calls a second, as a multiple of a peer's in the same round; `rateRatio` is null where the peer has none of the kind. */
interface Standing {
  kind: Kind;
  /** The peer's kind of call. */
  beside: Kind;
  connections: number;
  peer: string;
  rateRatio: Middle | null;
}

/** All that a run has found. */
export interface Results {
  command: string;
  startedAt: string;
  machine: ReturnType<typeof describeMachine>;
  /** Processes that wanted to run in the minute before the run, and in its last. */
  loadAverage: { before: number; after: number };
  settings: { tickets: number; rounds: number; seconds: number; warmup: number };
  /** MiB. */
  memory: { name: string; idle: number; afterLoad: number }[];
  standings: Standing[];
  figures: Figure[];
}

/** What it ran on; `pinned`: the server on a processor of its own. */
export function describeMachine(mongod: string, pinned: boolean) {
  const require = createRequire(import.meta.url);
  const versionOf = (name: string): string =>
    JSON.parse(readFileSync(require.resolve(`${name}/package.json`), 'utf8')).version;
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors,
    memory: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    pinned,
    node: process.versions.node,
    mongod,
    libraries: ['mongodb', 'mongoose', 'express', 'fastify'].map((name) => `${name} ${versionOf(name)}`).join(', '),
  };
}

/** What it ran on, in words. */
export function machineText({ processors, processor, memory, system, node, mongod, libraries }: Machine): string {
  return `${processors} processors (${processor}), ${memory} GiB of memory, ${system}. Node ${node}, mongod ${mongod}, ${libraries}.`;
}
type Machine = ReturnType<typeof describeMachine>;

/** The command that a script of package.json was called by. */
export function commandOf(script: string): string {
  return ['npm run', script, ...(process.argv.length > 2 ? ['--'] : []), ...process.argv.slice(2)].join(' ');
}

const round = (value: number) => Number(value.toPrecision(4));
const median = (values: number[]) => round(percentile(values, 0.5));

/** The median of some rounds, and the range of their middle half. */
export function middle(values: number[]): Middle {
  return { median: median(values), from: round(percentile(values, 0.25)), to: round(percentile(values, 0.75)) };
}

/** What another did in the same round, with as many connections. */
function besideOf(samples: Sample[], { connections, round }: Sample, name: string, kind: Kind): Sample | undefined {
  return samples.find(
    (other) => other.name === name && other.kind === kind && other.connections === connections && other.round === round,
  );
}

/** What is set beside a kind: who has no batches is asked for one read after the other. */
const comparisons: [Kind, beside: Kind][] = [...kinds.map((kind): [Kind, Kind] => [kind, kind]), ['batch', 'read']];

/** How we stand beside each peer. */
export function compareWithPeers(samples: Sample[]): Standing[] {
  const connectionCounts = [...new Set(samples.map(({ connections }) => connections))];
  const peers = Object.keys(descriptions).filter((name) => name !== ours);
  return comparisons.flatMap(([kind, beside]) =>
    connectionCounts.flatMap((connections) =>
      peers.map((peer) => {
        const own = samples.filter(
          (sample) => sample.name === ours && sample.kind === kind && sample.connections === connections,
        );
        const ratios = own.flatMap((sample) => {
          const theirs = besideOf(samples, sample, peer, beside);
          return theirs ? [sample.rate / theirs.rate] : [];
        });
        return { kind, beside, connections, peer, rateRatio: ratios.length > 0 ? middle(ratios) : null };
      }),
    ),
  );
}

/** The medians of all rounds, and of the ratios within each round. */
export function summarize(samples: Sample[]): Figure[] {
  const connectionCounts = [...new Set(samples.map(({ connections }) => connections))];
  const names = Object.keys(descriptions);
  return kinds.flatMap((kind) =>
    connectionCounts.flatMap((connections) => {
      const same = samples.filter((sample) => sample.kind === kind && sample.connections === connections);
      return names.flatMap((name) => {
        const own = same.filter((sample) => sample.name === name);
        if (own.length === 0) return [];
        const all = (field: Measure) => own.map((sample) => sample[field]);
        const ratios = (field: Measure) =>
          own.map((sample) => {
            const to = besideOf(samples, sample, reference, kind === 'batch' ? 'read' : kind);
            return sample[field] / (to?.[field] ?? Number.NaN);
          });
        const figure: Figure = {
          name,
          kind,
          connections,
          rate: middle(all('rate')),
          p50: middle(all('p50')),
          p99: middle(all('p99')),
          processorTime: middle(all('processorTime')),
          rateRatio: middle(ratios('rate')),
          p50Ratio: middle(ratios('p50')),
          processorTimeRatio: middle(ratios('processorTime')),
          serverShare: median(all('serverShare')),
          loadShare: median(all('loadShare')),
          mongodShare: median(all('mongodShare')),
        };
        return [figure];
      });
    }),
  );
}
type Measure = Exclude<keyof Sample, 'name' | 'kind' | 'connections' | 'round'>;

/** A median with the range of the middle half. */
export const spread = ({ median, from, to }: Middle, digits = 2) =>
  `${median.toFixed(digits)} (${from.toFixed(digits)}–${to.toFixed(digits)})`;
const percent = (part: number) => `${Math.round(part * 100)} %`;
const plural = (connections: number) => `${connections} connection${connections === 1 ? '' : 's'}`;

const columns = [
  'server',
  'calls/s',
  '× A',
  'p50 ms',
  '× A',
  'p99 ms',
  'CPU µs',
  '× A',
  'server busy',
  'mongod busy',
  'load busy',
] as const;

function cells(figure: Figure): string[] {
  return [
    figure.name,
    figure.rate.median.toFixed(0),
    spread(figure.rateRatio),
    figure.p50.median.toFixed(2),
    spread(figure.p50Ratio),
    figure.p99.median.toFixed(2),
    figure.processorTime.median.toFixed(0),
    spread(figure.processorTimeRatio),
    percent(figure.serverShare),
    percent(figure.mongodShare),
    percent(figure.loadShare),
  ];
}

/** The figures of one kind of request and one number of connections. */
function groups({ figures }: Results): { title: string; rows: string[][] }[] {
  const rowsOf = new Map<string, string[][]>();
  for (const figure of figures) {
    const title = `${figure.kind}, ${plural(figure.connections)}`;
    rowsOf.set(title, [...(rowsOf.get(title) ?? []), cells(figure)]);
  }
  return [...rowsOf].map(([title, rows]) => ({ title, rows }));
}

function standingRows({ standings }: Results): string[][] {
  const rows = new Map<string, string[]>();
  for (const { kind, beside, connections, rateRatio } of standings) {
    const title = `${kind}${beside === kind ? '' : ` beside a ${beside}`}, ${plural(connections)}`;
    rows.set(title, [...(rows.get(title) ?? [title]), rateRatio ? spread(rateRatio) : '']);
  }
  return [...rows.values()];
}

function memoryRows({ memory }: Results): string[][] {
  return memory.map(({ name, idle, afterLoad }) => [name, idle.toFixed(0), afterLoad.toFixed(0)]);
}

/** The results for a terminal. */
export function table(results: Results): string {
  const widths = [13, 12, 20, 8, 22, 8, 8, 20, 13, 13, 9];
  const line = (row: readonly string[]) => row.map((cell, place) => cell.padEnd(widths[place] ?? 0)).join('');
  const parts = groups(results).map(({ title, rows }) => [`\n${title}`, line(columns), ...rows.map(line)].join('\n'));
  const memory = memoryRows(results).map(([name, idle, afterLoad]) => `${name} ${idle} idle, ${afterLoad} after load`);
  return [...parts, `\nmemory in MiB: ${memory.join('; ')}`].join('\n');
}

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
export const markdownTable = (head: readonly string[], rows: string[][]) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** The results as a page. */
export function markdown(results: Results): string {
  const { command, startedAt, machine, loadAverage, settings } = results;
  const sections = groups(results).map(({ title, rows }) => `### ${title}\n\n${markdownTable(columns, rows)}`);
  return `# Performance

Written by \`${command}\` on ${startedAt.slice(0, 10)}, but for the last sections, which name their commands: change the commands, not this
page. The same figures: [performance.json](performance.json).

The service beside four servers that do the same work by hand, on one database of ${settings.tickets.toLocaleString('en')} tickets at the start:

${markdownTable(
  ['', 'server'],
  Object.entries(descriptions).map(([name, text]) => [name, text]),
)}

![${plotTitle}](performance.svg)

## Where this service stands

Its calls a second as a multiple of each peer's: below 1 it is slower. A batch is ten reads by one tRPC request; D has them, too,
and whoever has not is asked for one read after the other.

${markdownTable(['', '× A', '× B', '× C', '× D'], standingRows(results))}

## What is compared

- Before anything is measured, all have answered a read, a create, a claim and a repeated claim with the same body, and
  have stored the same document (history entry, ticket number, claim interval, search words), apart from ids and times.
  An unknown ticket, a claim of what another has claimed and an unknown key gave the same status.
- All write with \`w: majority\` and \`j: true\`, read with majority concern, use the same collections and indexes and a pool of
  100 connections, and compare the hash of each request's key with the same key document, which the peers read again
  after 4 s. A create looks at the settings of its type and at blocks in all of them.
- A batch of ten reads has answered what ten reads do, of D and of this service.
- This service validates every input and output, and so does D; A, B and C take what they are sent. This service alone makes
  commands repeatable, bounds the time and the number of calls, logs each request (to a file) and counts it for Prometheus.
- Each has answered ${settings.warmup.toLocaleString('en')} requests before. Then ${settings.rounds} rounds: in each, every server is measured for
  ${settings.seconds} s with each kind of request that it knows and each number of connections, one after the other, in an order that
  changes. A connection sends its next request when it was answered. Reads take any ticket, creates spread
  over 1,000 guilds, claims take tickets that nobody has claimed.
- Figures are medians of the rounds; a ratio is to A in the same round, followed by the range of its middle half. CPU is the
  server's processor time a call, from \`/proc\`; waiting times are those of a request. A batch's ratios to A are to A's read. The last three columns are parts of one processor: where server is
  near 100 %, the server is the limit; mongod and the load ${machine.pinned ? 'share the other processor' : 'are not kept apart from it'}, and
  where these two add up to near 100 %, it is mongod${machine.processors > 2 ? '' : ' or the load'}.
- All are built as this service is published, plain JavaScript with the libraries beside it, and run with
  \`NODE_OPTIONS=${nodeOptions}\`, which \`npm start\` sets and the [guide for operators](operations.md) advises for the published package.
- This service runs with room for 2,048 calls at once (\`MAX_CONCURRENT_CALLS\`; 64 by default): the peers know no bound.

## Machine

${machineText(machine)}
The server ${machine.pinned ? 'had a processor of its own' : 'shared all processors with the load'}. Load average: ${loadAverage.before.toFixed(1)} before, ${loadAverage.after.toFixed(1)} at the end.
The benchmark itself keeps two or three processes busy: where the load average is far above that, others were busy on the same
machine, so that rates are too low and waiting times too long; ratios suffer less, for each is of two neighbours in time.

## Memory

MiB in RAM, a second after the start and after all rounds.

${markdownTable(['server', 'idle', 'after load'], memoryRows(results))}

## Figures

${sections.join('\n\n')}
`;
}

const plotTitle = "Calls a second, as a multiple of A's";
const colours: Record<string, string> = { A: '#8c8c8c', B: '#b9b9b9', C: '#d9a441', D: '#c96f4a', [ours]: '#2f6db3' };

/** The throughput as bars, a panel for each kind of request; A's is 1. */
export function plot({ figures }: Results): string {
  const connectionCounts = [...new Set(figures.map(({ connections }) => connections))];
  const names = Object.keys(colours);
  const [panelHeight, bar, left, width] = [150, 18, 60, 760];
  const groupWidth = (width - left) / connectionCounts.length;
  const most = Math.max(1.2, ...figures.map(({ rateRatio }) => rateRatio.to)) * 1.1;
  const parts: string[] = [];
  kinds.forEach((kind, panel) => {
    const floor = 40 + (panel + 1) * (panelHeight + 40);
    const heightOf = (ratio: number) => (ratio / most) * panelHeight;
    parts.push(`<text x="8" y="${floor - panelHeight}" font-weight="bold">${kind}</text>`);
    const one = floor - heightOf(1);
    parts.push(`<path d="M${left} ${one}H${width}" stroke="#999" stroke-dasharray="3 3"/>`);
    parts.push(`<text x="${left - 6}" y="${one + 4}" text-anchor="end">1 × A</text>`);
    parts.push(`<path d="M${left} ${floor}H${width}" stroke="#333"/>`);
    connectionCounts.forEach((connections, group) => {
      const start = left + group * groupWidth + (groupWidth - names.length * (bar + 14)) / 2;
      const middle = left + (group + 0.5) * groupWidth;
      parts.push(`<text x="${middle}" y="${floor + 16}" text-anchor="middle">${plural(connections)}</text>`);
      names.forEach((name, place) => {
        const figure = figures.find((one) => one.name === name && one.kind === kind && one.connections === connections);
        if (!figure) return;
        const { median, from, to } = figure.rateRatio;
        const x = start + place * (bar + 14);
        const height = heightOf(median);
        parts.push(`<rect x="${x}" y="${floor - height}" width="${bar}" height="${height}" fill="${colours[name]}"/>`);
        const centre = x + bar / 2;
        parts.push(`<path d="M${centre} ${floor - heightOf(from)}V${floor - heightOf(to)}" stroke="#000"/>`);
        const label = floor - heightOf(to) - 4;
        parts.push(`<text x="${centre}" y="${label}" text-anchor="middle" font-size="10">${median.toFixed(2)}</text>`);
      });
    });
  });
  const legend = names.map(
    (name, place) =>
      `<rect x="${left + place * 90}" y="26" width="12" height="12" fill="${colours[name]}"/>` +
      `<text x="${left + place * 90 + 16}" y="36">${name}</text>`,
  );
  const height = 40 + kinds.length * (panelHeight + 40) + 30;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width + 10} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>${plotTitle}</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="8" y="16" font-weight="bold">${plotTitle} (medians; lines: the middle half)</text>`,
    ...legend,
    ...parts,
    '</svg>\n',
  ].join('\n');
}
