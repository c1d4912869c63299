import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { search } from './leaks/search.ts';

/** Where commands are run, and what the paths of programs are relative to. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** What the real server is told by its environment; PORT is 0, any free one, where it is not named. */
interface Start {
  env: Record<string, string | undefined>;
  /** What to run, and where; `server/main.ts` of the workspace where it is not named. */
  command?: string[];
  cwd?: string;
  /** A file to write the log to, by its descriptor; else it is kept here. */
  logFile?: number;
  /** What is loaded before it. */
  preload?: string;
}

// In a test run all that the server answers is searched for keys; a benchmark does without.
const watch = process.env.VITEST ? ['--import', './tests/leaks/watch.ts'] : [];
const beforehand = ['--import', 'tsx', ...watch];

/** Runs the server as a process of its own, which may end at once. */
export function spawnServer({ env, command, cwd = root, logFile, preload }: Start) {
  const before = preload ? [...beforehand, '--import', preload] : beforehand;
  const [program = '', ...args] = command ?? [process.execPath, ...before, 'server/main.ts'];
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', logFile ?? 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk) => {
      output[name] += chunk;
    });
  }
  const exited = once(child, 'close').then(([code, signal]) => {
    // On the terminal the first key stands once, for its owner.
    const terminal = output.stderr.replace(/^Your admin key[\s\S]*?\n {2}cfl_\w+|cfl_\w+(?=" -H)/gm, '');
    for (const text of [output.stdout, terminal]) search('log of a server', text, env.COUNTERFOIL_KEY);
    return (code ?? signal) as number | NodeJS.Signals;
  });
  return {
    pid: child.pid,
    /** The exit code, or the signal that ended it. */
    exited,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** What it has said to its operator so far. */
    stderr: () => output.stderr,
    stdout: () => output.stdout,
    /** The lines of its log so far. */
    // biome-ignore lint/suspicious/noExplicitAny: tests look at lines of every shape.
    log: (): any[] =>
      output.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line)),
    async [Symbol.asyncDispose]() {
      child.kill('SIGINT');
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await exited;
      clearTimeout(late);
    },
  };
}

/** Runs the real server, and waits until it has greeted its operator; throws where it ends instead. */
export async function startServer(start: Start) {
  const server = spawnServer(start);
  const greeted = until(() => server.stderr().includes("-d '"), 60_000).then(() => 'greeted');
  const outcome = await Promise.race([greeted, server.exited]).catch(() => 'silence');
  if (outcome !== 'greeted') {
    await server[Symbol.asyncDispose]();
    throw new Error(`the server did not start (${outcome}): ${server.stderr()}`);
  }
  const [, url = ''] = /listens on (\S+)/.exec(server.stderr()) ?? [];
  const [firstKey] = /cfl_\w+/.exec(server.stderr()) ?? [];
  return { ...server, url, firstKey };
}

/** Starts `counterfoil` with these arguments as a process of its own. */
export function spawnCli(args: string[], env: Record<string, string | undefined>, input = '') {
  const child = spawn(process.execPath, [join(root, 'server/bin/counterfoil.js'), ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {}).end(input);
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk) => {
      output[name] += chunk;
    });
  }
  const exited = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, ...output }));
  return {
    exited,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    stderr: () => output.stderr,
    /** Its output, which a test may leave unread for a while. */
    stdout: child.stdout,
  };
}

/** Runs `counterfoil` to its end. */
export function runCli(args: string[], env: Record<string, string | undefined>, input = '') {
  return spawnCli(args, env, input).exited;
}

/** Waits until `isSo`; throws where that takes too long. */
export async function until(isSo: () => boolean | Promise<boolean>, milliseconds = 15_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${isSo}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}
