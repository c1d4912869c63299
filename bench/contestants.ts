import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { root } from '../tests/server-process.ts';
import { buildPeer, buildService } from './build.ts';
import { memoryOf, processors } from './measure.ts';
import { nodeOptions, startService } from './service.ts';

/** A server that takes part: ours, or a peer. */
export interface Contestant {
  name: string;
  port: number;
  pid: number;
  /** What its read is called by tRPC's callers; null where there is no tRPC. */
  batchedRead: string | null;
  /** MiB after its start, before its first request. */
  idleMemory: number;
}

export const peers = [
  { name: 'A', file: 'a-node', batchedRead: null },
  { name: 'B', file: 'b-fastify', batchedRead: null },
  { name: 'C', file: 'c-express-mongoose', batchedRead: null },
  { name: 'D', file: 'd-trpc-openapi', batchedRead: 'read' },
];

/** Our name, and of whom it is that all ratios are to. */
export const ours = 'Counterfoil';
export const reference = 'A';

/** What each is, for who reads the results. */
export const descriptions: Record<string, string> = {
  A: 'node:http and the MongoDB driver, by hand',
  B: 'fastify 5 and the driver',
  C: 'express 5 and Mongoose, by hand: what most would write',
  D: "express 5, trpc-openapi's own middleware and Mongoose",
  [ours]: 'this service',
};

/** The processor of the server that is measured, and those of all else, as taskset takes them. */
const [serverProcessor, otherProcessors] = ['0', `1-${processors - 1}`];

async function pin(pid: number, list: string): Promise<boolean> {
  if (processors < 2) return false;
  return promisify(execFile)('taskset', ['--all-tasks', '--cpu-list', '--pid', list, String(pid)]).then(
    () => true,
    () => false,
  );
}

/** Keeps this process, and all that it starts from now on, off the processor of the servers; whether that is possible. */
export function leaveProcessor(): Promise<boolean> {
  return pin(process.pid, otherProcessors);
}

const settled = () => new Promise((done) => setTimeout(done, 1000));

async function startPeer(name: string, file: string, uri: string) {
  const child = spawn(process.execPath, await buildPeer(file), {
    cwd: root,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', NODE_OPTIONS: nodeOptions, MONGODB_URI: uri },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`${name} ended with ${code}`)));
  ended.catch(() => {});
  const [line] = await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
  return {
    port: Number(/\d+$/.exec(line)?.[0]),
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended.catch(() => {});
    },
  };
}

/**
 * Builds contestants and starts them over one database, pinned to the processor of the servers. Ours gets room for as
 * many calls as there are connections, batches of ten among them: the peers know no bound.
 */
export async function startContestants(
  uri: string,
  own: <T extends AsyncDisposable>(started: T) => T,
  names: string[] = Object.keys(descriptions),
): Promise<Contestant[]> {
  const env = { MONGODB_URI: uri, NODE_ENV: 'production', MAX_CONCURRENT_CALLS: '2048' };
  const service = own(await startService(env, await buildService()));
  const started: (Omit<Contestant, 'pid' | 'idleMemory'> & { pid: number | undefined })[] = [];
  for (const { name, file, batchedRead } of peers.filter((peer) => names.includes(peer.name))) {
    const { port, pid } = own(await startPeer(name, file, uri));
    started.push({ name, port, pid, batchedRead });
  }
  started.push({ name: ours, port: service.port, pid: service.pid, batchedRead: 'tickets.get' });
  await settled();
  const contestants: Contestant[] = [];
  for (const { pid = 0, ...rest } of started) {
    await pin(pid, serverProcessor);
    contestants.push({ ...rest, pid, idleMemory: await memoryOf(pid) });
  }
  return contestants;
}
