import { EndLine, ExportLine } from '@counterfoil/shared/transfer';
import type { z } from 'zod';
import { issuesOf } from '../errors.ts';
import { nowAndThen } from '../startup-error.ts';
import { kinds } from './kinds.ts';
import type { Outcome } from './lines.ts';
import { type Line, readLines } from './read-lines.ts';

/** Lines that are written together, at most: their number, and UTF-16 units of them. */
const batch = { lines: 500, length: 8 * 1024 * 1024 };

interface Parsed {
  number: number;
  kind: string;
  content: unknown;
  problem: string | null;
}

export interface Totals {
  imported: number;
  present: number;
  refused: number;
  /** Whether an export began, and never came to its last line. */
  brokenOff: boolean;
}

/** Imports lines, a batch at a time; tells of each one that cannot go in why, and lets the others in. */
export async function importLines(source: AsyncIterable<Buffer>, report: (line: string) => void): Promise<Totals> {
  const totals: Totals = { imported: 0, present: 0, refused: 0, brokenOff: false };
  let waiting: Parsed[] = [];
  let length = 0;
  const progress = nowAndThen(report);

  async function flush() {
    for (const [number, outcome] of await write(waiting)) {
      if (typeof outcome === 'string') totals[outcome] += 1;
      else {
        totals.refused += 1;
        report(`line ${number}: ${outcome.problem}`);
      }
    }
    [waiting, length] = [[], 0];
    progress(describe(totals));
  }

  for await (const line of readLines(source)) {
    const parsed = parse(line);
    if (frame.has(parsed.kind)) totals.brokenOff = parsed.kind === 'export';
    waiting.push(parsed);
    length += line.text.length;
    if (waiting.length >= batch.lines || length >= batch.length) await flush();
  }
  await flush();
  report(`Done: ${describe(totals)}.`);
  if (totals.brokenOff)
    report('The export was broken off: its last line is missing. Go on with it by export --resume.');
  return totals;
}

/** The lines before and behind all others of an export. */
const frame = new Map<string, z.ZodObject>([
  ['export', ExportLine],
  ['end', EndLine],
]);

function describe({ imported, present, refused }: Totals): string {
  return `${imported} imported, ${present} already there, ${refused} refused`;
}

function parse({ number, text, problem }: Line): Parsed {
  const refused = (why: string) => ({ number, kind: '', content: null, problem: why });
  if (problem !== null) return refused(problem);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refused(`Not valid JSON: ${error instanceof Error ? error.message : error}`);
  }
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? String(value.kind) : '';
  const schema = frame.get(kind) ?? kinds.get(kind)?.schema;
  if (!schema) return refused(`kind: Expected one of ${[...kinds.keys()].join(', ')}`);
  const { data, error } = schema.safeParse(value);
  if (!error) return { number, kind, content: data, problem: null };
  return refused(
    issuesOf(error)
      .map(({ path, message }) => (path ? `${path}: ${message}` : message))
      .join('; '),
  );
}

/** Writes a batch kind by kind; what became of its lines, by their numbers. */
async function write(lines: Parsed[]): Promise<[number: number, Outcome][]> {
  const outcomes = lines.flatMap(({ number, problem }): [number, Outcome][] =>
    problem === null ? [] : [[number, { problem }]],
  );
  for (const [name, { write: writeKind }] of kinds) {
    const ofKind = lines.filter(({ kind }) => kind === name);
    const results = await writeKind(ofKind.map(({ content }) => content));
    for (const [place, { number }] of ofKind.entries()) outcomes.push([number, results[place] ?? 'present']);
  }
  return outcomes.sort(([a], [b]) => a - b);
}
