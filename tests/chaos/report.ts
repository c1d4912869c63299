import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { plot } from './plot.ts';
import type { Result, Row } from './row.ts';
import { rows } from './rows.ts';

/** How a result was had. */
interface Circumstances {
  /** ISO 8601. */
  date: string;
  command: string;
  commit: string;
  mongod: string;
  /** How long it took. */
  seconds: number;
}

/** A result as the page keeps it. */
type Kept = Omit<Row, 'run'> & Result & Circumstances & { node: string; processors: number };

/** Problems that are told, of an experiment: more have the same cause. */
const problemsTold = 10;

/** Prints what an experiment came to. */
export function tell(name: string, { passed, figures, problems }: Result, seconds: number): void {
  console.log(`${passed ? 'passed' : 'FAILED'}  ${name}  (${seconds} s)`);
  for (const [what, figure] of Object.entries(figures)) console.log(`        ${what}: ${figure}`);
  for (const problem of problems.slice(0, problemsTold)) console.log(`        PROBLEM ${problem}`);
  if (problems.length > problemsTold) console.log(`        and ${problems.length - problemsTold} more`);
}

/** Puts a result in the place of the older one of its row, and writes the page anew. */
export function keep(folder: string, { name, promise, experiment }: Row, result: Result & Circumstances): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'reliability.json');
  const kept: Kept[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
  const places = { node: process.versions.node, processors: availableParallelism() };
  const all = [...kept.filter((one) => one.name !== name), { name, promise, experiment, ...places, ...result }];
  const order = rows.map((row) => row.name);
  all.sort((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
  writeFileSync(file, `${JSON.stringify(all, null, 1)}\n`);
  writeFileSync(join(folder, 'reliability.md'), pageOf(all));
  for (const one of all) if (one.timeline) writeFileSync(join(folder, plotOf(one)), plot(one.name, one));
}

const plotOf = ({ name }: Kept) => `reliability-${name}.svg`;

function pageOf(all: Kept[]): string {
  const table = all.map(({ name, promise, passed, figures, command }) => {
    const told = Object.entries(figures).map(([what, figure]) => `${what}: ${shown(figure)}`);
    return `| [${promise}](#${name}) | ${passed ? 'holds' : '**FAILED**'} | ${told.join('<br>')} | \`${command}\` |`;
  });
  return [
    '# What it promises, and the experiments',
    '',
    'Each row is an experiment with real mongod processes, real processes of the service and real faults, and what it came to when it was',
    'run last. `npm run chaos` runs them all and writes this page, `npm run chaos -- --only <row>` one of them.',
    '',
    '| promise | | figures | command |',
    '| --- | --- | --- | --- |',
    ...table,
    '',
    ...all.flatMap(sectionOf),
  ].join('\n');
}

function sectionOf(one: Kept): string[] {
  const { name, promise, experiment, date, seconds, commit, node, mongod, processors, problems, timeline } = one;
  return [
    `## ${name}`,
    '',
    `${promise}. The experiment: ${experiment}.`,
    '',
    `${date.slice(0, 16).replace('T', ' ')} UTC, ${seconds} s, commit ${commit}, Node ${node}, mongod ${mongod}, ${processors} processors.`,
    '',
    ...problems.slice(0, problemsTold).map((problem) => `- **${problem.split('\n')[0]}**`),
    ...(problems.length > 0 ? [''] : []),
    ...(timeline ? [`![calls a second, and the faults](${plotOf(one)})`, ''] : []),
  ];
}

function shown(figure: number | string): string {
  return typeof figure === 'number' ? figure.toLocaleString('en') : figure;
}
