import { type ExecFileException, execFile } from 'node:child_process';
import { copyFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import { procedures, startApp } from './harness.ts';

const folder = fileURLToPath(new URL('schemathesis', import.meta.url));
const venv = fileURLToPath(new URL('../.cache/schemathesis', import.meta.url));
const program = join(venv, 'bin', 'schemathesis');

/** Examples of each operation in the fuzzing phase; without it a short run, the same every time. */
const { FUZZ_EXAMPLES } = process.env;
const extent = FUZZ_EXAMPLES ? ['--max-examples', FUZZ_EXAMPLES] : ['--max-examples', '25', '--seed', '1'];

const checks = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
  'response_headers_conformance',
  'negative_data_rejection',
  'positive_data_acceptance',
  'unsupported_method',
  'ignored_auth',
];

/** A line of the report: one scenario with its requests, where it is not of another kind. */
interface Line {
  ScenarioFinished?: {
    recorder?: {
      cases?: Record<string, { value: { method: string; path: string } }>;
      interactions?: Record<string, { response?: { status_code: number } }>;
    };
  };
}

/** Runs a program, which may keep its caches beside the virtual environment; answers its exit code and what it said. */
function run(file: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<{ code: unknown; output: string }> {
  const options = { cwd: venv, env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', ...env }, maxBuffer: 2 ** 26 };
  return new Promise((resolve) => {
    execFile(file, args, options, (error: ExecFileException | null, stdout, stderr) =>
      resolve({ code: error ? (error.code ?? error.signal) : 0, output: `${stdout}${stderr}` }),
    );
  });
}

async function must(file: string, args: string[]): Promise<void> {
  const { code, output } = await run(file, args);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: ${code}\n${output}`);
}

/** Makes the virtual environment where it is missing or was made of other requirements. */
async function prepare(): Promise<void> {
  const requirements = join(folder, 'requirements.txt');
  const made = join(venv, 'requirements.txt');
  const [wanted, had] = await Promise.all([readFile(requirements, 'utf8'), readFile(made, 'utf8').catch(() => '')]);
  if (wanted === had) return;
  await mkdir(venv, { recursive: true });
  await must('python3', ['-m', 'venv', '--clear', venv]);
  await must(join(venv, 'bin', 'pip'), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  await copyFile(requirements, made);
}

/** The statuses of each operation's answers, by `GET /path`. */
async function answersIn(report: string): Promise<Map<string, number[]>> {
  const answers = new Map<string, number[]>();
  for (const line of (await readFile(report, 'utf8')).trim().split('\n')) {
    const { cases = {}, interactions = {} } = (JSON.parse(line) as Line).ScenarioFinished?.recorder ?? {};
    for (const [id, { response }] of Object.entries(interactions)) {
      const made = cases[id]?.value;
      const label = `${made?.method} ${made?.path}`;
      if (response) answers.set(label, [...(answers.get(label) ?? []), response.status_code]);
    }
  }
  return answers;
}

beforeAll(prepare, 300_000);

test('schemathesis finds nothing that the document does not say', { timeout: 900_000 }, async () => {
  await using app = await startApp();
  const report = join(venv, 'report.ndjson');
  const config = ['--config-file', join(folder, 'schemathesis.toml')];
  const target = ['run', `${app.url}/openapi.json`, '--checks', checks.join(',')];
  const reports = ['--report', 'ndjson', '--report-ndjson-path', report];
  const { code, output } = await run(program, [...config, ...target, ...reports, ...extent], {
    COUNTERFOIL_KEY: app.key,
    SCHEMATHESIS_HOOKS: join(folder, 'hooks.py'),
  });
  console.log(output);
  expect(code, output).toBe(0);

  const answers = await answersIn(report);
  const operations = Object.values(procedures).flatMap(({ _def: { meta } }) =>
    meta?.openapi ? [`${meta.openapi.method} ${meta.openapi.path}`] : [],
  );
  const successes = operations.map((label) => {
    const statuses = answers.get(label) ?? [];
    return { label, cases: statuses.length, ok: statuses.filter((status) => status < 300).length };
  });
  console.table(successes);
  expect(successes.filter(({ ok }) => ok < 10)).toEqual([]);
});
