import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCodes } from 'counterfoil/startup-error';
import mongoose, { mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import 'counterfoil/router';
import { callsTo, shortId } from './harness.ts';
import { runCli, spawnCli, spawnServer, startServer, until } from './server-process.ts';

const key = 'migrations-test-key-of-the-environment';
const guildId = '700000000000000001';
const staff = '900000000000000001';

type Fixture = Record<string, { indexes: mongo.IndexDescriptionInfo[]; documents: { _id: string }[] }>;

/** What the server of commit 1f85c95 wrote: its collections, as they were on its database. */
async function oldData(): Promise<Fixture> {
  const file = new URL('fixtures/commit-1f85c95.json', import.meta.url);
  return mongo.BSON.EJSON.parse(await readFile(file, 'utf8'));
}

/** A database of its own on the shared mongod. */
async function newDatabase() {
  const uri = new URL(inject('mongodbUri'));
  uri.pathname = `/migrations-${shortId()}`;
  const client = await new mongo.MongoClient(uri.href).connect();
  const db = client.db();
  return {
    env: { MONGODB_URI: uri.href, COUNTERFOIL_KEY: key, LOG_LEVEL: 'error' },
    db,
    tickets: db.collection<{ _id: string }>('tickets'),
    async [Symbol.asyncDispose]() {
      await db.dropDatabase();
      await client.close();
    },
  };
}

async function oldDatabase() {
  const database = await newDatabase();
  for (const [name, { indexes, documents }] of Object.entries(await oldData())) {
    const collection = database.db.collection<{ _id: string }>(name);
    await collection.insertMany(documents);
    for (const { key: fields, ...options } of indexes) {
      if (options.name !== '_id_') await collection.createIndex(fields, options);
    }
  }
  return database;
}

/** The old database, with many copies of its claimed and closed ticket. */
async function largeOldDatabase(count: number) {
  const database = await oldDatabase();
  const template = await database.db.collection('tickets').findOne({ shortId: 'claimed-closed' });
  const copies = Array.from({ length: count }, (_, place) => ({
    ...template,
    _id: randomUUID(),
    shortId: `copy-${place}`,
    ticketName: `copy-${place}`,
  }));
  await database.tickets.insertMany(copies);
  return database;
}

type Index = Record<string, unknown> & { key: object };

function sorted(indexes: Index[]): unknown[] {
  const described = indexes.map(({ key: fields, unique, partialFilterExpression }) => {
    return JSON.stringify({ fields, unique: unique === true, partialFilterExpression });
  });
  return described.sort();
}

async function indexesOf(db: mongo.Db): Promise<Record<string, unknown[]>> {
  const collections = await db.listCollections({}, { nameOnly: true }).toArray();
  const entries = collections.map(async ({ name }) => {
    const indexes = await db.collection(name).indexes();
    return [name, sorted(indexes.filter((index) => index.name !== '_id_'))] as const;
  });
  return Object.fromEntries((await Promise.all(entries)).filter(([, indexes]) => indexes.length > 0));
}

const modelIndexes = () =>
  Object.fromEntries(
    Object.values(mongoose.models)
      .map(({ collection, schema }) => {
        return [collection.name, sorted(schema.indexes().map(([fields, options]) => ({ key: fields, ...options })))];
      })
      .filter(([, indexes]) => (indexes?.length ?? 0) > 0),
  );

const names = [
  '0001-baseline',
  '0002-histories-and-lists',
  '0003-search',
  '0004-limits-and-blocks',
  '0005-audit-and-rate-limits',
];
const applied = (db: mongo.Db) => db.collection('migrations').distinct('_id');

describe('the indexes of a migrated database are those of the models', () => {
  test('of an empty one', async () => {
    await using database = await newDatabase();
    expect(await runCli(['migrate'], database.env)).toMatchObject({ code: 0 });
    expect(await indexesOf(database.db)).toEqual(modelIndexes());
  });

  test('of one with data of the version before', async () => {
    await using database = await oldDatabase();
    expect(await runCli(['migrate'], database.env)).toMatchObject({ code: 0 });
    expect(await indexesOf(database.db)).toEqual(modelIndexes());
  });
});

describe('data that the version before wrote', () => {
  let database: Awaited<ReturnType<typeof oldDatabase>>;
  let server: Awaited<ReturnType<typeof startServer>>;

  // biome-ignore lint/suspicious/noExplicitAny: tests assert on answers of every shape.
  async function ok(procedure: string, input: object): Promise<any> {
    const { data, error } = await callsTo(server.url, key).rest(procedure, input);
    expect(error).toBeUndefined();
    return data;
  }

  beforeAll(async () => {
    database = await oldDatabase();
    await using refused = spawnServer({ env: database.env });
    expect(await refused.exited).toBe(exitCodes.migrationNeeded);
    expect(refused.stderr()).toContain('\n  npx counterfoil migrate\n');
    expect(await applied(database.db)).toEqual([]);
    const { code, stderr } = await runCli(['migrate'], database.env);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('0003-search: done') });
    server = await startServer({ env: database.env });
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  test('lose nothing that was there', async () => {
    for (const [name, { documents }] of Object.entries(await oldData())) {
      for (const document of documents) {
        const now = await database.db.collection<{ _id: string }>(name).findOne({ _id: document._id });
        expect(now).toMatchObject(document);
      }
    }
  });

  test.each([
    ['open', []],
    ['claimed', [{ claimer: staff, to: null, endReason: null }]],
    ['closed', []],
    ['claimed-closed', [{ claimer: '900000000000000002', to: expect.any(String), endReason: 'close' }]],
    ['created-claimed', [{ claimer: staff, to: null, endReason: null }]],
    ['created-claimed-closed-later', [{ claimer: staff, to: expect.any(String), endReason: 'close' }]],
    ['created-closed', []],
    ['created-claimed-and-closed', []],
  ])('%s: the history and the claim intervals are read', async (id, intervals) => {
    const { ticket, history, claimIntervals } = {
      ticket: await ok('tickets.get', { shortId: id }),
      ...(await ok('tickets.history', { shortId: id })),
    };
    expect(history).toHaveLength(ticket.version);
    expect(claimIntervals).toMatchObject(intervals);
    if (intervals.length > 0) expect(claimIntervals[0].from).toBe(ticket.claimedAt);
    if (intervals[0]?.endReason === 'close') expect(claimIntervals[0].to).toBe(ticket.closedAt);
  });

  test('repeated commands are recognized, new ones are carried out and kept', async () => {
    const commandId = 'aaaaaaaa-0000-4000-8000-000000000002';
    const again = await ok('tickets.claim', { shortId: 'claimed', discordId: staff, commandId });
    expect(again).toMatchObject({ changed: true, ticket: { version: 2 } });
    const close = { shortId: 'claimed', closedBy: staff, reason: 'Parcel found', commandId: randomUUID() };
    expect(await ok('tickets.close', close)).toMatchObject({ changed: true, ticket: { version: 3 } });
    expect(await ok('tickets.close', close)).toMatchObject({ changed: true, ticket: { version: 3 } });
    const { claimIntervals } = await ok('tickets.history', { shortId: 'claimed' });
    expect(claimIntervals).toMatchObject([{ claimer: staff, to: expect.any(String), endReason: 'close' }]);
    expect((await ok('tickets.list', { guildId, q: 'parcel found' })).tickets).toHaveLength(1);
  });

  test('a repeated create is recognized, and the next number follows', async () => {
    const create = {
      ticketType: 'support',
      guildId,
      ticketOwner: '800000000000000001',
      ticketShortId: 'open',
      ticketId: '11111111-1111-4111-8111-111111111111',
      ticketData: '{"topic": "A lost parcel", "order": 1042}',
      actorId: '800000000000000001',
    };
    expect(await ok('tickets.create', create)).toMatchObject({ created: false, ticket: { ticketNumber: 1 } });
    const { ticket } = await ok('tickets.create', { ticketType: 'support', guildId, ticketOwner: staff });
    expect(ticket.ticketNumber).toBeGreaterThan(8);
  });

  test('lists and searches find them', async () => {
    const listed = await ok('tickets.list', { guildId, status: 'closed', claimedBy: staff });
    expect(listed.tickets.map((ticket: { ticketShortId: string }) => ticket.ticketShortId)).toContain(
      'created-claimed-closed-later',
    );
    for (const [q, found] of [
      ['lost parcel', 'open'],
      ['REFUND', 'closed'],
      ['grosse', undefined],
      ['große', 'claimed-closed'],
      ['cafe', 'named'],
    ]) {
      const { tickets } = await ok('tickets.list', { guildId, q });
      expect(tickets[0]?.ticketShortId).toBe(found);
    }
  });
});

describe('migrating', () => {
  test('again changes nothing', async () => {
    await using database = await oldDatabase();
    await runCli(['migrate'], database.env);
    const before = await database.tickets.find().toArray();
    const again = await runCli(['migrate'], database.env);
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('nothing to migrate') });
    expect(await database.tickets.find().toArray()).toEqual(before);
    expect(await applied(database.db)).toEqual(names);
  });

  test('after kill -9 in the middle goes on, and is done by one of two that begin at once', async () => {
    const count = 5_000;
    await using database = await largeOldDatabase(count);
    const filled = () => database.tickets.countDocuments({ historyBytes: { $exists: true } });
    const killed = spawnCli(['migrate'], database.env);
    await until(async () => (await database.tickets.findOne({ historyBytes: { $exists: true } })) !== null, 60_000);
    killed.kill('SIGKILL');
    await killed.exited;
    const done = await filled();
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(count);
    expect(await applied(database.db)).toEqual(names.slice(0, 1));
    await using refused = spawnServer({ env: database.env });
    expect(await refused.exited).toBe(exitCodes.migrationNeeded);
    const both = await Promise.all([runCli(['migrate'], database.env), runCli(['migrate'], database.env)]);
    for (const { code, stderr } of both) {
      expect(code).toBe(0);
      expect(stderr).toContain('Another process migrates the database; waiting');
    }
    expect(both.filter(({ stderr }) => stderr.includes('0003-search: done'))).toHaveLength(1);
    const lacking = ['historyBytes', 'archivedTo', 'claimIntervals', 'searchWords', 'words'];
    expect(
      await database.tickets.countDocuments({ $or: lacking.map((field) => ({ [field]: { $exists: false } })) }),
    ).toBe(0);
    expect(await applied(database.db)).toEqual(names);
  });

  test('leaves a ticket alone that changes meanwhile, and comes back to it', async () => {
    await using database = await largeOldDatabase(2_000);
    const migrating = runCli(['migrate'], database.env);
    // What an old process does that was not stopped: a new version without the new fields.
    let closed = 0;
    for (const { _id } of await database.tickets.find({}, { projection: { _id: 1 } }).toArray()) {
      if (closed >= 500) break;
      const change = { $inc: { version: 1 }, $set: { closeReason: `late ${closed}` } };
      closed += (await database.tickets.updateOne({ _id, searchWords: { $exists: false } }, change)).modifiedCount;
    }
    expect(await migrating).toMatchObject({ code: 0 });
    expect(await database.tickets.countDocuments({ searchWords: 'late' })).toBe(closed);
  });

  test('a database that a newer version has changed is refused by the service and by commands', async () => {
    await using database = await newDatabase();
    await runCli(['migrate'], database.env);
    await database.db.collection<{ _id: string }>('migrations').insertOne({ _id: '9999-from-the-future' });
    await using server = spawnServer({ env: database.env });
    expect(await server.exited).toBe(exitCodes.databaseTooNew);
    expect(server.stderr()).toContain('newer version of Counterfoil (9999-from-the-future)');
    for (const command of ['migrate', 'export', 'import']) {
      expect(await runCli([command], database.env)).toMatchObject({ code: exitCodes.databaseTooNew });
    }
  });

  test('an empty database of MONGODB_URI needs none by hand, also after kill -9 of its first start', async () => {
    await using database = await newDatabase();
    await database.db.collection<{ _id: string }>('migrations').insertOne({ _id: '0001-baseline' });
    await using server = await startServer({ env: database.env });
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
    expect(await applied(database.db)).toEqual(names);
  });
});

test('the embedded database is migrated by a start, and is not changed beneath a service that runs', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'counterfoil-migrations-'));
  const env = { DATA_DIR: dataDir, MONGOD_BINARY: inject('mongod'), COUNTERFOIL_KEY: key };
  try {
    expect(await runCli(['migrate'], env)).toMatchObject({
      code: exitCodes.badConfiguration,
      stderr: `There is no database in ${dataDir}: name its folder in DATA_DIR, or the database in MONGODB_URI.\n`,
    });
    await using server = await startServer({ env });
    expect(await runCli(['migrate'], env)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('nothing to migrate'),
    });
    const client = await new mongo.MongoClient(await embeddedUri(dataDir)).connect();
    await client.db().collection<{ _id: string }>('migrations').deleteOne({ _id: '0003-search' });
    await client.db().collection<{ _id: string }>('tickets').insertOne({ _id: 'an old one' });
    expect(await runCli(['migrate'], env)).toMatchObject({ code: exitCodes.migrationNeeded });
    await client.db().collection<{ _id: string }>('tickets').deleteOne({ _id: 'an old one' });
    await client.close();
    server.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    const migrated = await runCli(['migrate'], env);
    expect(migrated).toMatchObject({ code: 0, stderr: expect.stringContaining('0003-search: done') });
  } finally {
    await rm(dataDir, { recursive: true });
  }
});

async function embeddedUri(dataDir: string): Promise<string> {
  return `mongodb://127.0.0.1:${await readFile(join(dataDir, 'port'), 'utf8')}/counterfoil?directConnection=true`;
}
