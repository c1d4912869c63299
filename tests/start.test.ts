import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { readConfig } from 'counterfoil/config';
import { hashKey, makeKey } from 'counterfoil/keys/secret';
import { exitCodes } from 'counterfoil/startup-error';
import { mongo } from 'mongoose';
import { describe, expect, inject, test } from 'vitest';
import { newTicket } from './contract.ts';
import { callsTo, shortId } from './harness.ts';
import { startMongod } from './mongod.ts';
import { runCli, spawnServer, startServer, until } from './server-process.ts';

const environmentKey = 'start-test-key-of-the-environment';

/** The shared mongod, with a database of its own for this test. */
function ownDatabase(): string {
  const uri = new URL(inject('mongodbUri'));
  uri.pathname = `/start-${shortId()}`;
  return uri.href;
}

async function withDatabase<T>(uri: string, use: (db: mongo.Db) => Promise<T>): Promise<T> {
  const client = new mongo.MongoClient(uri);
  try {
    return await use(client.db());
  } finally {
    await client.close();
  }
}

/** A data folder; its name is one that a shell must not split. */
async function newFolder() {
  const path = await mkdtemp(join(tmpdir(), "counterfoil's start "));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** What the server says where it must not start, and the code that it ends with. */
async function refusedStart(env: Record<string, string>) {
  await using server = spawnServer({ env });
  const code = await server.exited;
  return { code, stderr: server.stderr(), stdout: server.stdout() };
}

/** Runs the curl line of a greeting as a shell does. */
async function runGreeting(stderr: string, env: Record<string, string> = {}) {
  const [line = ''] = /curl .*/.exec(stderr) ?? [];
  const { stdout } = await promisify(execFile)('sh', ['-c', line], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', ...env },
  });
  return JSON.parse(stdout);
}

describe.concurrent('a server that cannot start says why, and ends with a code of its own', () => {
  test('a database that is away: after 30 s', async () => {
    const startedAt = Date.now();
    const { code, stderr } = await refusedStart({ MONGODB_URI: 'mongodb://someone:s3cret@127.0.0.1:1/tickets' });
    expect(Date.now() - startedAt).toBeGreaterThan(30_000);
    expect(Date.now() - startedAt).toBeLessThan(45_000);
    expect(code).toBe(exitCodes.databaseUnreachable);
    expect(stderr).toContain('ECONNREFUSED 127.0.0.1:1');
    expect(stderr).toContain('mongodb://[redacted]@127.0.0.1:1/tickets');
    expect(stderr).not.toContain('s3cret');
  });

  test('bad variables: all are named at once, and no value is shown', async () => {
    const secret = 'sh0rt secret';
    const { code, stderr, stdout } = await refusedStart({
      PORT: '70000',
      MONGODB_URI: `postgres://someone:${secret}@localhost`,
      COUNTERFOIL_KEY: secret,
      LOG_LEVEL: 'loud',
    });
    expect(code).toBe(exitCodes.badConfiguration);
    expect(stderr).toMatch(
      /PORT must be from 0 to 65535\n.*MONGODB_URI must begin .*\n.*COUNTERFOIL_KEY must be 24 to/s,
    );
    expect(stderr).toContain('LOG_LEVEL must be one of fatal, error');
    expect(stderr + stdout).not.toMatch(/sh0rt|at .*\.ts/);
  });

  test('bad variables, one by one; an empty one counts as unset', () => {
    for (const [name, value] of Object.entries({
      PORT: '80a',
      MONGODB_URI: 'localhost',
      COUNTERFOIL_KEY: 'k'.repeat(23),
      LOG_LEVEL: 'INFO',
    })) {
      expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^The environment is not valid:\n  ${name} must`));
      expect(() => readConfig({ [name]: '' })).not.toThrow();
    }
    for (const key of ['k'.repeat(257), `${'k'.repeat(30)} `, `${'k'.repeat(30)}é`]) {
      expect(() => readConfig({ COUNTERFOIL_KEY: key })).toThrow('COUNTERFOIL_KEY must be 24 to 256 visible');
    }
  });

  test('a MONGODB_URI that is none', async () => {
    const { code, stderr } = await refusedStart({ MONGODB_URI: 'mongodb://me:s3cret@localhost/?replicaName=rs' });
    expect(code).toBe(exitCodes.badConfiguration);
    expect(stderr).toContain('MONGODB_URI is not valid: option replicaname');
    expect(stderr).not.toMatch(/s3cret|at .*\.ts/);
  });

  test('a port in use; the embedded database is ended again', async () => {
    const stranger = createServer().listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    await using folder = await newFolder();
    const PORT = String((stranger.address() as AddressInfo).port);
    const { code, stderr } = await refusedStart({ PORT, DATA_DIR: folder.path, MONGOD_BINARY: inject('mongod') });
    stranger.close();
    expect(code).toBe(exitCodes.portInUse);
    expect(stderr).toMatch(new RegExp(`^PORT ${PORT} is in use on 127\\.0\\.0\\.1`, 'm'));
    // mongod empties its lock when it ends well.
    expect(await readFile(join(folder.path, 'db', 'mongod.lock'), 'utf8')).toBe('');
  });

  test('a data folder that cannot be one', async () => {
    const { code, stderr } = await refusedStart({ DATA_DIR: '/etc/passwd/data', MONGOD_BINARY: inject('mongod') });
    expect(code).toBe(exitCodes.badConfiguration);
    expect(stderr).toMatch(/^DATA_DIR cannot be used: ENOTDIR.*\n$/);
  });

  test('a data folder with something else in the place of its own', async () => {
    await using folder = await newFolder();
    await writeFile(join(folder.path, 'db'), '');
    const { code, stderr } = await refusedStart({ DATA_DIR: folder.path, MONGOD_BINARY: inject('mongod') });
    expect(code).toBe(exitCodes.badConfiguration);
    expect(stderr).toMatch(/^DATA_DIR cannot be used: .*\n$/);
  });

  test('MONGODB_URI cannot weaken what is promised of reads and writes', async () => {
    const env = { MONGODB_URI: `${ownDatabase()}&readConcernLevel=bogus&wtimeoutMS=1&journal=false&w=1` };
    await using server = await startServer({ env: { ...env, COUNTERFOIL_KEY: environmentKey } });
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    const { rest } = callsTo(server.url, environmentKey);
    expect(await rest('tickets.create', newTicket())).toMatchObject({ status: 200 });
  });

  test('an address that is not of this machine', async () => {
    const { code, stderr } = await refusedStart({ HOST: '192.0.2.1', MONGODB_URI: ownDatabase() });
    expect(code).toBe(exitCodes.badConfiguration);
    expect(stderr).toContain('HOST 192.0.2.1');
  });

  test('a standalone mongod', async () => {
    await using mongod = await startMongod({ standalone: true });
    const { code, stderr } = await refusedStart({ MONGODB_URI: mongod.uri });
    expect(code).toBe(exitCodes.standaloneDatabase);
    expect(stderr).toContain('a replica set is needed');
  });

  test('a password that the database refuses, which is not shown', async () => {
    const uri = ownDatabase().replace('//', '//someone:s3cret@');
    const { code, stderr } = await refusedStart({ MONGODB_URI: uri });
    expect(code).toBe(exitCodes.databaseUnreachable);
    expect(stderr).toContain('Authentication failed');
    expect(stderr).not.toContain('s3cret');
  });

  test('indexes that cannot be created', async () => {
    const uri = ownDatabase();
    // The same name for another index.
    await withDatabase(uri, (db) => db.collection('keys').createIndex({ name: 1 }, { name: 'first_1' }));
    const { code, stderr } = await refusedStart({ MONGODB_URI: uri });
    expect(code).toBe(exitCodes.databaseUnreachable);
    expect(stderr).toMatch(/^The indexes could not be created: .*first_1/m);
  });
});

describe.concurrent('a server that starts', () => {
  test('a database that comes up 7 s after the server is waited for', async () => {
    await using mongod = await startMongod();
    await mongod.kill();
    const starting = startServer({ env: { MONGODB_URI: mongod.uri, COUNTERFOIL_KEY: environmentKey } });
    await sleep(7000);
    await mongod.restart();
    await using server = await starting;
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  });

  test('the greeting of the first start creates a ticket as it is, and that of the next start too', async () => {
    await using folder = await newFolder();
    const dataDir = folder.path;
    const env = { DATA_DIR: dataDir, MONGOD_BINARY: inject('mongod') };
    let key: string;
    let shortIdOfFirst: string;
    {
      await using server = await startServer({ env });
      key = server.firstKey ?? '';
      expect(key).toMatch(/^cfl_\w{8}_\w{38}$/);
      const { created, ticket } = await runGreeting(server.stderr());
      expect(created).toBe(true);
      shortIdOfFirst = ticket.ticketShortId;
      expect(await readFile(join(dataDir, 'admin-key'), 'utf8')).toBe(`${key}\n`);
      expect((await stat(join(dataDir, 'admin-key'))).mode & 0o777).toBe(0o600);
      expect(server.stdout()).not.toContain('cfl_');
      await until(() => server.log().length === 1);
    }
    {
      await using server = await startServer({ env });
      expect(server.stderr()).not.toContain('cfl_');
      expect(server.stderr()).toContain('$(cat ');
      expect(await runGreeting(server.stderr())).toMatchObject({ created: true, ticket: { ticketNumber: 2 } });
      const first = await fetch(`${server.url}/tickets/get/id/${shortIdOfFirst}`, { headers: { authorization: key } });
      expect(await first.json()).toMatchObject({ ticketShortId: shortIdOfFirst, ticketNumber: 1 });
      await rm(join(dataDir, 'admin-key'));
    }
    {
      await using server = await startServer({ env });
      expect(server.stderr()).toContain('Authorization: <your key>');
      process.kill(Number(await readFile(join(dataDir, 'db', 'mongod.lock'), 'utf8')), 'SIGKILL');
      expect(await server.exited).toBe(exitCodes.mongodFailed);
      expect(server.stderr()).toContain('The embedded MongoDB ended by itself');
    }
  });

  test('a key file that others could read is replaced by one that they cannot', async () => {
    await using folder = await newFolder();
    const dataDir = folder.path;
    await writeFile(join(dataDir, 'admin-key'), 'an earlier key');
    await chmod(join(dataDir, 'admin-key'), 0o644);
    await using server = await startServer({ env: { DATA_DIR: dataDir, MONGOD_BINARY: inject('mongod') } });
    expect(await readFile(join(dataDir, 'admin-key'), 'utf8')).toBe(`${server.firstKey}\n`);
    expect((await stat(join(dataDir, 'admin-key'))).mode & 0o777).toBe(0o600);
  });

  test('with COUNTERFOIL_KEY no key is made, and the greeting works where that variable is set', async () => {
    const uri = ownDatabase();
    await using server = await startServer({ env: { MONGODB_URI: uri, COUNTERFOIL_KEY: environmentKey } });
    expect(await withDatabase(uri, (db) => db.collection('keys').countDocuments())).toBe(0);
    const { created } = await runGreeting(server.stderr(), { COUNTERFOIL_KEY: environmentKey });
    expect(created).toBe(true);
    expect(server.stderr() + server.stdout()).not.toContain(environmentKey);
  });

  test('of two processes that start at once on an empty database one makes the first key', async () => {
    for (let round = 0; round < 3; round += 1) {
      const uri = ownDatabase();
      const env = { MONGODB_URI: uri };
      const started = await Promise.all([startServer({ env }), startServer({ env })]);
      await using one = started[0];
      await using other = started[1];
      const keys = [one, other].flatMap(({ firstKey }) => firstKey ?? []);
      expect(keys).toHaveLength(1);
      expect(await withDatabase(uri, (db) => db.collection('keys').countDocuments())).toBe(1);
      for (const { url } of [one, other]) {
        const metrics = await fetch(`${url}/metrics`, {
          headers: { authorization: `${keys}`, 'x-forwarded-for': '::2' },
        });
        expect(metrics.status).toBe(200);
      }
    }
  });

  test('where a key was revoked no first key is made', async () => {
    const uri = ownDatabase();
    await runCli(['migrate'], { MONGODB_URI: uri });
    const { keyId: _id, key } = makeKey();
    const secrets = [{ hash: hashKey(key), validUntil: null }];
    const revoked = { _id, name: 'old', scope: 'admin', secrets, createdAt: new Date(), revokedAt: new Date() };
    await withDatabase(uri, (db) => db.collection<{ _id: string }>('keys').insertOne(revoked));
    await using server = await startServer({ env: { MONGODB_URI: uri } });
    expect(server.stderr()).not.toContain('cfl_');
    expect(await withDatabase(uri, (db) => db.collection('keys').countDocuments())).toBe(1);
  });
});

/** Begins a create, and sends the rest of its body when it is told to. */
async function slowCreate(url: string) {
  const body = JSON.stringify(newTicket());
  const headers = { authorization: environmentKey, 'content-type': 'application/json', 'content-length': body.length };
  const sent = request(`${url}/tickets/create`, { method: 'POST', agent: false, headers });
  sent.write(body.slice(0, 10));
  await once(sent, 'socket');
  return async () => {
    sent.end(body.slice(10));
    const [response] = await once(sent, 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    return { status: response.statusCode, ...JSON.parse(text) };
  };
}

/** A kept connection that has had one answer and waits for the next request. */
async function idleConnection(url: string): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  const [response] = await once(request(`${url}/health/live`, { agent }).end(), 'response');
  response.resume();
  await once(response, 'end');
}

async function untilNotReady(url: string): Promise<Response> {
  for (;;) {
    const ready = await fetch(`${url}/health/ready`);
    if (ready.status !== 200) return ready;
  }
}

async function isRefused(url: string): Promise<boolean> {
  return fetch(`${url}/health/live`).then(
    () => false,
    () => true,
  );
}

describe.concurrent('the end', () => {
  test.each([0, 600, 1200])(
    'SIGTERM: not ready first, then what was accepted is answered, even %i ms after',
    async (more) => {
      const env = { MONGODB_URI: inject('mongodbUri'), COUNTERFOIL_KEY: environmentKey };
      await using server = await startServer({ env });
      const finish = await slowCreate(server.url);
      await idleConnection(server.url);
      connect(Number(new URL(server.url).port), '127.0.0.1').on('error', () => {});
      expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
      server.kill('SIGTERM');
      const ready = await untilNotReady(server.url);
      expect(ready.headers.get('connection')).toBe('close');
      expect(await ready.json()).toMatchObject({ error: { type: 'shutting_down' } });
      await until(() => isRefused(server.url));
      await sleep(more);
      const finishedAt = Date.now();
      expect(await finish()).toMatchObject({ status: 200, created: true });
      expect(await server.exited).toBe(0);
      expect(Date.now() - finishedAt).toBeLessThan(10_000);
      expect(server.log().at(-1)).toMatchObject({ route: '/tickets/create', status: 200 });
    },
  );

  test.each([1, 2])('SIGINT, sent %i times as under npm: at once, but what was accepted is answered', async (times) => {
    const env = { MONGODB_URI: inject('mongodbUri'), COUNTERFOIL_KEY: environmentKey };
    await using server = await startServer({ env });
    await idleConnection(server.url);
    const finish = await slowCreate(server.url);
    for (let sent = 0; sent < times; sent += 1) {
      server.kill('SIGINT');
      await until(() => isRefused(server.url), 900);
    }
    const finishedAt = Date.now();
    expect(await finish()).toMatchObject({ status: 200, created: true });
    expect(await server.exited).toBe(0);
    expect(Date.now() - finishedAt).toBeLessThan(10_000);
  });

  test('SIGTERM while the database is frozen: a request is answered 503, and the process ends', async () => {
    await using mongod = await startMongod();
    await using server = await startServer({ env: { MONGODB_URI: mongod.uri, COUNTERFOIL_KEY: environmentKey } });
    await mongod.freeze();
    const answer = fetch(`${server.url}/tickets/get/id/x`, { headers: { authorization: environmentKey } });
    await sleep(100);
    server.kill('SIGTERM');
    expect((await answer).status).toBe(503);
    const answeredAt = Date.now();
    expect(await server.exited).toBe(0);
    expect(Date.now() - answeredAt).toBeLessThan(10_000);
  });
});
