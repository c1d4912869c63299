import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from '../server-process.ts';

const folder = fileURLToPath(new URL('../../client/examples/discord-bot', import.meta.url));

/** Runs the example bot as a process of its own, and waits until it is ready; throws where it ends instead. */
export async function startBot(env: Record<string, string>) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
    cwd: folder,
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk) => {
      output[name] += chunk;
    });
  }
  const exited = once(child, 'close');
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null;

  async function end(signal: NodeJS.Signals) {
    child.kill(signal);
    await exited;
  }

  const isReady = () => output.stdout.includes('is ready');
  await until(() => isReady() || hasEnded(), 60_000).catch(() => {});
  if (!isReady()) {
    await end('SIGKILL');
    throw new Error(`the bot did not start: ${output.stderr}`);
  }
  return {
    kill: () => end('SIGKILL'),
    /** What it has said to its operator so far. */
    stderr: () => output.stderr,
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  };
}
