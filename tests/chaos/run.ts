/** Runs the experiments one after the other, and writes what they came to into the page of figures. Ends with 1 where one failed. */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { findProgram, versionOf } from './program.ts';
import { keep, tell } from './report.ts';
import type { Row } from './row.ts';
import { rows } from './rows.ts';

const { values } = parseArgs({
  options: {
    // Names of experiments, separated by commas; all of them where it is not given.
    only: { type: 'string' },
    short: { type: 'boolean', default: false },
    // The folder of the page; `-` for none.
    out: { type: 'string', default: 'docs' },
  },
});

function chosen(): Row[] {
  if (values.only === undefined) return rows;
  const names = values.only.split(',');
  const unknown = names.filter((name) => !rows.some((row) => row.name === name));
  if (unknown.length > 0) {
    console.error(
      `There is no experiment ${unknown.join(', ')}; there are: ${rows.map(({ name }) => name).join(', ')}.`,
    );
    process.exit(2);
  }
  return rows.filter(({ name }) => names.includes(name));
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

const scale = values.short ? 'short' : 'full';
const mongod = await versionOf(await findProgram());
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
let failed = 0;
for (const row of chosen()) {
  const date = new Date().toISOString();
  const startedAt = performance.now();
  const result = await row.run(scale).catch((error: unknown) => ({
    passed: false,
    figures: {},
    problems: [error instanceof Error ? `${error.message}\n${error.stack}` : String(error)],
  }));
  if (!result.passed) failed += 1;
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  tell(row.name, result, seconds);
  const command = `npm run chaos -- --only ${row.name}${values.short ? ' --short' : ''}`;
  if (values.out !== '-') keep(values.out, row, { ...result, date, command, commit, mongod, seconds });
}
process.exit(failed === 0 ? 0 : 1);
