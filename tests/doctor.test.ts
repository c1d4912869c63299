import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clockDifference, judgeVersion } from 'counterfoil/operations/doctor';
import { exitCodes } from 'counterfoil/startup-error';
import { mongo } from 'mongoose';
import { describe, expect, inject, test } from 'vitest';
import { shortId, snowflake } from './harness.ts';
import { startMongod } from './mongod.ts';
import { runCli } from './server-process.ts';

interface Finding {
  check: string;
  status: string;
  message: string;
}

/** A database of its own on the shared mongod, with nothing in it. */
async function emptyDatabase() {
  const uri = new URL(inject('mongodbUri'));
  uri.pathname = `/doctor-${shortId()}`;
  const client = await new mongo.MongoClient(uri.href).connect();
  const db = client.db();
  return {
    db,
    env: { MONGODB_URI: uri.href },
    collection: (name: string) => db.collection<{ _id: string }>(name),
    async everything() {
      const names = (await db.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name).sort();
      const contents = names.map((name) => db.collection(name).find().sort({ _id: 1 }).toArray());
      return { names, contents: await Promise.all(contents) };
    },
    async [Symbol.asyncDispose]() {
      await db.dropDatabase();
      await client.close();
    },
  };
}

async function database() {
  const made = await emptyDatabase();
  expect(await runCli(['migrate'], made.env)).toMatchObject({ code: 0 });
  return made;
}

const keyOf = (fields: { name?: string; scope?: string; expiresAt?: Date; revokedAt?: Date }) => ({
  _id: shortId().slice(0, 8),
  name: 'bot',
  scope: 'read',
  guildIds: null,
  secrets: [],
  rateLimit: null,
  createdAt: new Date(),
  expiresAt: null,
  lastUsedAt: null,
  revokedAt: null,
  ...fields,
});

/** What `counterfoil doctor` finds, by the names of its checks; it must go well exactly where it finds no problem. */
async function doctor(env: Record<string, string | undefined>) {
  const { code, stdout, stderr } = await runCli(['doctor', '--json'], env);
  expect(stderr).not.toMatch(/at .*\.ts/);
  const { ok, checks }: { ok: boolean; checks: Finding[] } = JSON.parse(stdout);
  expect(ok).toBe(checks.every(({ status }) => status !== 'problem'));
  expect(code).toBe(ok ? 0 : 1);
  for (const { message } of checks) expect(message).not.toMatch(/\n|secret-password/);
  const of = (check: string) => checks.filter((finding) => finding.check === check);
  return { ok, checks, of, problems: checks.filter(({ status }) => status === 'problem').map(({ check }) => check) };
}

const dayFromNow = (days: number) => new Date(Date.now() + days * 86_400_000);
const allChecks = [
  ...['configuration', 'database', 'version', 'access', 'reading', 'writing', 'transactions', 'change stream'],
  ...['migrations', 'indexes', 'clock', 'keys'],
];

describe('doctor', () => {
  test('finds a sound database well, also an empty one, and leaves both as they were', async () => {
    await using sound = await database();
    await sound.collection('keys').insertOne(keyOf({ scope: 'admin' }));
    await using empty = await emptyDatabase();
    const onIndexes: unknown[] = [];
    for (const { env, everything } of [sound, empty]) {
      const before = await everything();
      const { checks, problems, of } = await doctor(env);
      expect(problems).toEqual([]);
      expect(checks.map(({ check }) => check)).toEqual(allChecks);
      const loud = checks.filter(({ status }) => status !== 'ok').map(({ check }) => check);
      expect(['version', 'access']).toEqual(expect.arrayContaining(loud));
      expect(of('access')[0]).toMatchObject({ status: 'warning', message: expect.stringContaining('names no user') });
      expect(await everything()).toEqual(before);
      onIndexes.push(of('indexes')[0]?.message);
    }
    const indexes = await Promise.all((await sound.db.collections()).map((collection) => collection.indexes()));
    const count = indexes.flat().filter(({ name }) => name !== '_id_').length;
    expect(onIndexes).toEqual([`all ${count} are there`, 'none yet: the first start makes them']);
    expect((await empty.everything()).names).toEqual([]);
  });

  test('names every problem of one database, a line each, and what it says to run mends it', async () => {
    await using bad = await database();
    await bad.collection('tickets').dropIndex('shortId_1');
    await bad.collection('users').dropIndex('discordId_1');
    await bad.collection('users').createIndex({ discordId: 1 });
    const [soon, late] = [keyOf({ name: 'soon', expiresAt: dayFromNow(13) }), keyOf({ expiresAt: dayFromNow(15) })];
    const gone = [keyOf({ scope: 'admin', revokedAt: new Date() }), keyOf({ scope: 'admin', expiresAt: new Date() })];
    await bad.collection('keys').insertMany([soon, late, ...gone]);
    const ahead = 'const%20now=Date.now;Date.now=()=>now()+5000';
    const { code, stdout } = await runCli(['doctor'], {
      ...bad.env,
      PORT: 'x',
      HOST: '0.0.0.0',
      FAILED_AUTH_LIMIT: '0',
      NODE_OPTIONS: `--import=data:text/javascript,${ahead}`,
    });
    expect(code).toBe(1);
    const lines = stdout.trim().split('\n');
    for (const line of lines) expect(line).toMatch(/^(ok|warning|problem) +\S/);
    for (const expected of [
      /^problem +configuration +PORT must be a whole number$/,
      /^warning +configuration +HOST 0\.0\.0\.0 .* TRUST_PROXY is not set/,
      /^warning +configuration +FAILED_AUTH_LIMIT is 0/,
      /^ok +transactions /,
      /^ok +migrations /,
      /^problem +indexes .*tickets lacks {"shortId":1}; .*run: npx counterfoil migrate --again$/,
      /^problem +indexes .*users has {"discordId":1} with other rules \(in mongosh: db\.users\.dropIndex\("discordId_1"\)\)/,
      /^warning +clock .*the database is (4\.\d|5\.0) s behind that of this machine/,
      /^problem +keys +no admin key is in force; make one: npx counterfoil keys create --name admin --scope admin$/,
      new RegExp(`^warning +keys +${soon._id} "soon" ends at ${soon.expiresAt?.toISOString()}`),
    ]) {
      expect(lines).toContainEqual(expect.stringMatching(expected));
    }
    expect(stdout).not.toContain(late._id);

    await bad.collection('users').dropIndex('discordId_1');
    await runCli(['migrate', '--again'], bad.env);
    await runCli(['keys', 'create', '--name', 'admin', '--scope', 'admin', '--guild', snowflake()], bad.env);
    const { problems, of } = await doctor({ ...bad.env, HOST: '0.0.0.0', TRUST_PROXY: '0' });
    expect(problems).toEqual([]);
    expect(of('configuration')).toMatchObject([{ status: 'ok' }]);
    expect(of('keys')[0]).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('none of these for all'),
    });
  });

  test('tells data of an older version and of a newer one', async () => {
    await using outdated = await emptyDatabase();
    const { env, collection } = outdated;
    await collection('tickets').insertOne({ _id: randomUUID() });
    const old = await doctor(env);
    expect(old.problems).toEqual(['migrations', 'indexes']);
    expect(old.of('migrations')[0]?.message).toMatch(/older version .*0001-baseline.* npx counterfoil migrate$/);
    expect(old.of('indexes')[0]?.message).toMatch(/tickets lacks .*; and \d+ more; .*run: npx counterfoil migrate$/);
    await collection('migrations').insertOne({ _id: '9999-of-tomorrow' });
    const { of } = await doctor(env);
    expect(of('migrations')[0]).toMatchObject({
      status: 'problem',
      message: expect.stringContaining('newer version of Counterfoil (9999-of-tomorrow)'),
    });
  });

  test('goes on with a standalone mongod, as far as it can', async () => {
    await using mongod = await startMongod({ standalone: true });
    const { checks, problems, of } = await doctor({ MONGODB_URI: mongod.uri });
    expect(of('database')[0]?.message).toContain('a replica set is needed');
    expect(problems).toEqual(['database', 'transactions', 'change stream']);
    expect(checks.map(({ check }) => check)).toEqual(allChecks);
  });

  test('tells what the user of the database may not do, and one that is not let in', async () => {
    await using mongod = await startMongod();
    await mongod.protect('clerk', 'secret-password', ['read']);
    const uri = (password: string) => mongod.uri.replace('//', `//clerk:${password}@`);
    const { problems, of } = await doctor({ MONGODB_URI: uri('secret-password') });
    expect(problems).toEqual(['writing', 'transactions']);
    expect(of('writing')[0]?.message).toMatch(
      /not authorized .*; give the user of MONGODB_URI the role readWrite on it$/,
    );
    expect(of('access')).toMatchObject([{ status: 'ok', message: 'as the user clerk of counterfoil' }]);
    const refused = await doctor({ MONGODB_URI: uri('wrong') });
    expect(refused.problems).toEqual(['database']);
    expect(refused.of('database')[0]?.message).toContain('Authentication failed');
  });

  test('tells a database that is away, one that is not there, and an address that is none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'counterfoil-doctor-'));
    const [away, missing, none] = await Promise.all([
      doctor({ MONGODB_URI: 'mongodb://me:secret-password@127.0.0.1:1/counterfoil' }),
      doctor({ DATA_DIR: folder }),
      doctor({ MONGODB_URI: 'postgres://127.0.0.1' }),
    ]);
    await rm(folder, { recursive: true });
    expect(away.problems).toEqual(['database']);
    expect(away.of('database')[0]?.message).toMatch(/ECONNREFUSED.* Is it running, may this machine/);
    expect(missing.of('database')[0]?.message).toContain(`There is no database in ${folder}`);
    expect(none.checks).toEqual([
      {
        check: 'configuration',
        status: 'problem',
        message: 'MONGODB_URI must begin with mongodb:// or mongodb+srv://',
      },
    ]);
  });
});

test('doctor looks at the embedded database where no service runs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'counterfoil-doctor-'));
  const env = { DATA_DIR: folder, MONGOD_BINARY: inject('mongod') };
  expect(await runCli(['import'], env)).toMatchObject({ code: 0 });
  const { problems, of } = await doctor(env);
  expect(problems).toEqual([]);
  expect(of('access')[0]).toMatchObject({ status: 'ok', message: 'without a user, on the loopback address only' });
  expect(of('version')[0]?.status).toBe('ok');
  await rm(folder, { recursive: true });
});

test('doctor refuses what it does not know', async () => {
  expect(await runCli(['doctor', '--mend'], {})).toMatchObject({ code: exitCodes.badConfiguration, stdout: '' });
});

test.each([
  ['5.0.33', 'unfit'],
  ['6.0.5', 'hole'],
  ['6.0.26', 'hole'],
  ['6.0.27', 'fit'],
  ['7.0.27', 'hole'],
  ['7.0.28', 'fit'],
  ['7.3.4', 'hole'],
  ['8.0.17-rc0', 'fit'],
  ['8.2.2', 'hole'],
  ['8.2.3', 'fit'],
  ['8.3.0', 'fit'],
  ['10.0.0', 'fit'],
])('MongoDB %s is judged %s', (version, judgement) => {
  expect(judgeVersion(version)).toBe(judgement);
});

test.each([
  ['in step', { askedAt: 1000, said: 1010, answeredAt: 1020 }, 0],
  ['in step, by a slow answer', { askedAt: 1000, said: 1000, answeredAt: 9000 }, 0],
  ['ahead', { askedAt: 1000, said: 5000, answeredAt: 1020 }, 3980],
  ['behind', { askedAt: 9000, said: 5000, answeredAt: 9020 }, -4000],
])('a clock that is %s', (_name, reading, difference) => {
  expect(clockDifference([reading])).toBe(difference);
  // The quickest answer tells most.
  expect(clockDifference([{ askedAt: 0, said: 0, answeredAt: 60_000 }, reading])).toBe(difference);
});
