import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type describeMachine, machineText, markdown, markdownTable, type Results } from './report.ts';

/** A part of the page of results, which a command of its own measures. */
export interface Section {
  title: string;
  command: string;
  startedAt: string;
  machine: ReturnType<typeof describeMachine>;
  /** What is measured, a paragraph each. */
  text: string[];
  /** The name of a plot beside the page, where there is one. */
  plot?: string;
  tables: { head: string[]; rows: string[][] }[];
  /** All that was measured. */
  figures: object;
}

/** The sections behind the comparison, by the names of their files. */
const sections = ['client', 'start', 'size'] as const;

/** What a file of an earlier run holds; null where there was none. */
async function read<Content>(path: string): Promise<Content | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  return text === null ? null : JSON.parse(text);
}

const json = (content: object) => `${JSON.stringify(content, null, 2)}\n`;

function sectionText(name: string, { title, command, startedAt, machine, text, plot, tables }: Section): string {
  return [
    `## ${title}`,
    `Written by \`${command}\` on ${startedAt.slice(0, 10)}; the same figures: [performance-${name}.json](performance-${name}.json).`,
    ...text,
    ...(plot === undefined ? [] : [`![${title}](${plot})`]),
    ...tables.map(({ head, rows }) => markdownTable(head, rows)),
    `Measured on: ${machineText(machine)}`,
  ].join('\n\n');
}

/** Writes the page anew of what all commands have measured last. */
async function writePage(folder: string): Promise<void> {
  const results = await read<Results>(join(folder, 'performance.json'));
  const parts = [results === null ? '# Performance\n' : markdown(results)];
  for (const name of sections) {
    const section = await read<Section>(join(folder, `performance-${name}.json`));
    if (section !== null) parts.push(`${sectionText(name, section)}\n`);
  }
  await writeFile(join(folder, 'performance.md'), parts.join('\n'));
}

/** Writes the results of the comparison, its plot, and the page. */
export async function writeResults(folder: string, results: Results, plot: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'performance.json'), json(results));
  await writeFile(join(folder, 'performance.svg'), plot);
  await writePage(folder);
}

/** Writes what a section has found, its plot where it has one, and the page. */
export async function writeSection(
  folder: string,
  name: (typeof sections)[number],
  section: Section,
  plot?: string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `performance-${name}.json`), json(section));
  if (plot !== undefined && section.plot !== undefined) await writeFile(join(folder, section.plot), plot);
  await writePage(folder);
}
