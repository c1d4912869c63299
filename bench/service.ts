import { randomUUID } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../tests/server-process.ts';

/** The admin key of every service that is measured. */
export const key = `bench-${randomUUID()}`;

/** What Node is told for every server: what `npm start` tells it, too. */
export const nodeOptions = '--max-semi-space-size=32';

/**
 * Runs the service as a process of its own, as an operator would: its log goes to a file. From its source, unless
 * `args` of Node run it otherwise.
 */
export async function startService(env: Record<string, string> = {}, args?: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'counterfoil-bench-'));
  const log = await open(join(folder, 'log'), 'w');
  const { MONGOD_BINARY, XDG_CACHE_HOME } = process.env;
  const settings = {
    NODE_OPTIONS: nodeOptions,
    MONGOD_BINARY,
    XDG_CACHE_HOME,
    DATA_DIR: folder,
    COUNTERFOIL_KEY: key,
    ...env,
  };
  const command = args && [process.execPath, ...args];
  const server = await startServer({ env: settings, logFile: log.fd, ...(command && { command }) });
  return {
    port: Number(new URL(server.url).port),
    pid: server.pid,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await log.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Does the work of a measuring script and ends what it owns, also where it is interrupted; exits with 1 unless it is true. */
export async function runBench(work: (own: <T extends AsyncDisposable>(started: T) => T) => Promise<boolean>) {
  const owned: AsyncDisposable[] = [];
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => reject(new Error(`ended by ${signal}`)));
  });
  const own = <T extends AsyncDisposable>(started: T) => {
    owned.unshift(started);
    return started;
  };
  try {
    process.exitCode = (await Promise.race([work(own), interrupted])) ? 0 : 1;
  } finally {
    for (const one of owned) await one[Symbol.asyncDispose]();
  }
  process.exit();
}
