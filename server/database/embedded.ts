import { mkdir, readFile, realpath, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mongo } from 'mongoose';
import { StartupError } from '../startup-error.ts';
import { endOrphan, type MongodProcess, runMongod } from './mongod-process.ts';
import { becomeWritable, replicaSet } from './replica-member.ts';

export interface EmbeddedOptions {
  dataDir: string;
  mongod: string;
  report: (line: string) => void;
}

export interface EmbeddedDatabase {
  uri: string;
  /** Resolves with mongod's exit code when it has ended, by stop() or by itself. */
  closed: Promise<number>;
  stop(): Promise<void>;
}

const folderTimeoutMs = 10_000;
const startTimeoutMs = 30_000;
const listening = '"id":23016,';

/**
 * Runs mongod on 127.0.0.1 as a one-member replica set with its data in `<dataDir>/db`; resolves when it takes writes.
 * Throws StartupError 'dataFolderInUse' after 10 s, 'mongodFailed' when mongod ends or is not ready within 30 s (60 s on a new port).
 */
export async function startEmbedded({ dataDir, mongod, report }: EmbeddedOptions): Promise<EmbeddedDatabase> {
  await mkdir(join(dataDir, 'db'), { recursive: true, mode: 0o700 });
  const folder = await realpath(dataDir);
  const { server, port, moved } = await startListening(folder, mongod, report);
  const host = `127.0.0.1:${port}`;
  const client = new mongo.MongoClient(`mongodb://${host}/?directConnection=true`);
  try {
    // mongod asks at its old address whether it is itself, for 30 s if what is there now keeps silent.
    const timeoutMs = moved ? 2 * startTimeoutMs : startTimeoutMs;
    const late = sleep(timeoutMs, `was not ready within ${timeoutMs / 1000} s`, { ref: false });
    const ended = server.closed.then((code) => `ended with exit code ${code}`);
    const writable = becomeWritable(client, host).catch((error) => `could not be set up: ${error.message}`);
    const problem = await Promise.race([writable, ended, late]);
    if (problem) throw await mongodFailed(problem, logFile(folder));
    await keepPort(folder, port);
  } catch (error) {
    await server.stop();
    throw error;
  } finally {
    await client.close();
  }
  return { uri: uriOf(host), closed: server.closed, stop: server.stop };
}

function uriOf(host: string): string {
  return `mongodb://${host}/counterfoil?replicaSet=${replicaSet}`;
}

/** The address of the mongod that another process runs on this data folder; null where none answers on its port. */
export async function findRunning(dataDir: string): Promise<string | null> {
  const folder = await realpath(dataDir).catch(() => dataDir);
  const port = await readKeptPort(folder);
  if (port === undefined) return null;
  const host = `127.0.0.1:${port}`;
  const client = new mongo.MongoClient(`mongodb://${host}/?directConnection=true`, { serverSelectionTimeoutMS: 2000 });
  try {
    const { parsed } = await client.db('admin').command({ getCmdLineOpts: 1 });
    return parsed.storage.dbPath === join(folder, 'db') ? uriOf(host) : null;
  } catch {
    return null;
  } finally {
    await client.close();
  }
}

/** mongod's own lock of its folder is the only lock: one that is left over gets 10 s to end. */
async function startListening(folder: string, mongod: string, report: EmbeddedOptions['report']) {
  const dbPath = join(folder, 'db');
  const args = mongodArguments(dbPath);
  const newLog = `${logFile(folder)}.new`;
  const deadline = Date.now() + folderTimeoutMs;
  const kept = await readKeptPort(folder);
  let port = kept ?? (await findFreePort());
  for (;;) {
    const server = await runMongod(mongod, [...args, '--port', String(port)], newLog);
    const problem = await untilListening(server, newLog);
    const log = await readFile(newLog, 'utf8');
    if (log.includes('Address already in use')) {
      port = await findFreePort();
    } else if (log.includes('DBPathInUse')) {
      if (Date.now() > deadline) throw folderInUse(folder);
      await endOrphan(dbPath, args);
      report(`Waiting for another server to leave the data folder ${folder}`);
      await sleep(500);
      port = kept ?? port;
    } else {
      await rename(logFile(folder), `${logFile(folder)}.1`).catch(() => {});
      await rename(newLog, logFile(folder));
      if (!problem) return { server, port, moved: kept !== undefined && port !== kept };
      await server.stop();
      throw await mongodFailed(problem, logFile(folder));
    }
  }
}

function mongodArguments(dbPath: string): string[] {
  const network = ['--bind_ip', '127.0.0.1', '--nounixsocket'];
  // The default oplog takes 5 % of the disk; diagnostic data would take 200 MB more, and we never ask for JavaScript.
  const lean = ['--oplogSize', '990', '--setParameter', 'diagnosticDataCollectionEnabled=false', '--noscripting'];
  return ['--dbpath', dbPath, '--replSet', replicaSet, '--quiet', ...network, ...lean];
}

/** Resolves with nothing once this very mongod listens (its own log says so), else with what became of it. */
async function untilListening(server: MongodProcess, log: string): Promise<string | undefined> {
  const deadline = Date.now() + startTimeoutMs;
  const ended = server.closed.then((code) => `ended with exit code ${code}`);
  while (Date.now() < deadline) {
    if ((await readFile(log, 'utf8')).includes(listening)) return undefined;
    const problem = await Promise.race([ended, sleep(20)]);
    if (problem) return problem;
  }
  return `was not ready within ${startTimeoutMs / 1000} s`;
}

function logFile(folder: string): string {
  return join(folder, 'mongod.log');
}

function folderInUse(folder: string): StartupError {
  return new StartupError(
    'dataFolderInUse',
    `The data folder ${folder} is in use by another server. Stop that one, or give this one a folder of its own.`,
  );
}

async function mongodFailed(problem: string, log: string): Promise<StartupError> {
  const cause = findCause(await readFile(log, 'utf8'));
  return new StartupError('mongodFailed', `The embedded MongoDB ${problem}. ${cause} Its log: ${log}`);
}

/** The first error of a mongod log tells the cause (what follows are its consequences); else the last line does. */
function findCause(log: string): string {
  const lines = log.trim().split('\n');
  const line = lines.find((line) => /"s":"[EF]"/.test(line)) ?? lines.at(-1) ?? '';
  const [, message = line, details = ''] = /"msg":"(.*?)"(?:,"attr":(.*))?\}$/.exec(line) ?? [];
  return `${message} ${details}`.slice(0, 600);
}

async function readKeptPort(folder: string): Promise<number | undefined> {
  const port = Number(await readFile(join(folder, 'port'), 'utf8').catch(() => ''));
  return Number.isInteger(port) && port > 0 && port < 65536 ? port : undefined;
}

async function keepPort(folder: string, port: number): Promise<void> {
  await writeFile(join(folder, 'port.new'), String(port));
  await rename(join(folder, 'port.new'), join(folder, 'port'));
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
