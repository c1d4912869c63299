import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import mongoose, { type mongo } from 'mongoose';
import { nowAndThen, StartupError } from '../startup-error.ts';
import { baseline } from './migrations/0001-baseline.ts';
import { historiesAndLists } from './migrations/0002-histories-and-lists.ts';
import { search } from './migrations/0003-search.ts';
import { limitsAndBlocks } from './migrations/0004-limits-and-blocks.ts';
import { auditAndRateLimits } from './migrations/0005-audit-and-rate-limits.ts';
import type { Migration, Stored } from './migrations/steps.ts';
import { isDuplicate } from './unique.ts';

/** All migrations, in their order. One that was released is never changed, only followed by another. */
const migrations: readonly Migration[] = [baseline, historiesAndLists, search, limitsAndBlocks, auditAndRateLimits];

type Report = (line: string) => void;

/** Milliseconds after which another process takes over from one that died, and between two signs of life. */
const lease = 15_000;
const renewal = 5_000;

function applied(db: mongo.Db): mongo.Collection<Stored> {
  return db.collection<Stored>('migrations');
}

/** The migrations that a database still needs, and the names of those that only a newer version knows. */
async function compare(db: mongo.Db): Promise<{ pending: Migration[]; newer: string[] }> {
  const done = new Set((await applied(db).find().toArray()).map(({ _id }) => _id));
  const pending = migrations.filter(({ name }) => !done.delete(name));
  return { pending, newer: [...done].sort() };
}

function tooNew(newer: string[]): StartupError {
  return new StartupError(
    'databaseTooNew',
    `The database was changed by a newer version of Counterfoil (${newer.join(', ')}). ` +
      'Run that version, or restore the backup made before the upgrade.',
  );
}

function outdated(pending: Migration[]): StartupError {
  return new StartupError(
    'migrationNeeded',
    `The database holds data of an older version (to do: ${pending.map(({ name }) => name).join(', ')}). ` +
      'Stop every process of that version, make a backup, then run with the same environment:\n  npx counterfoil migrate',
  );
}

/** The migrations that a database still needs; throws a StartupError where a newer version has changed it. */
async function pendingOn(db: mongo.Db): Promise<Migration[]> {
  const { pending, newer } = await compare(db);
  if (newer.length > 0) throw tooNew(newer);
  return pending;
}

/** What keeps this version from the data of a database: a StartupError, or null; `empty` is one that a start prepares. */
export async function migrationState(db: mongo.Db): Promise<{ refusal: StartupError | null; empty: boolean }> {
  const { pending, newer } = await compare(db);
  if (newer.length > 0) return { refusal: tooNew(newer), empty: false };
  if (pending.length === 0) return { refusal: null, empty: false };
  const empty = await isEmpty(db);
  return { refusal: empty ? null : outdated(pending), empty };
}

/** What the first version stored; later ones store more only beside these. */
const firstCollections = ['tickets', 'ticketChannels', 'users', 'keys'];

async function isEmpty(db: mongo.Db): Promise<boolean> {
  for (const name of firstCollections) {
    if (await db.collection(name).findOne({}, { projection: { _id: 1 } })) return false;
  }
  return true;
}

/**
 * Makes the connected database fit for this version: one that is empty, or where `mayMigrate`, is migrated.
 * Throws a StartupError where data wait for `counterfoil migrate`, or where they are of a newer version.
 */
export async function prepareDatabase({ mayMigrate, report }: { mayMigrate: boolean; report: Report }): Promise<void> {
  const db = connected();
  if ((await pendingOn(db)).length === 0) return;
  if (mayMigrate || (await isEmpty(db))) {
    await migrate(report);
    return;
  }
  // What is there now may be the first documents of a process that has migrated the empty database meanwhile.
  const pending = await pendingOn(db);
  if (pending.length > 0) throw outdated(pending);
}

/** Runs the migrations that the connected database still needs, or all `again`, one process at a time; answers their names. */
export async function migrate(report: Report, again = false): Promise<string[]> {
  const db = connected();
  await using lock = await takeLock(db, report);
  const needed = await pendingOn(db);
  const pending = again ? migrations : needed;
  for (const { name, up } of pending) {
    const progress = nowAndThen(report);
    await up(db, (done) => {
      lock.mustHold();
      progress(`${name}: ${done} documents`);
    });
    lock.mustHold();
    await applied(db).updateOne({ _id: name }, { $setOnInsert: { appliedAt: new Date() } }, { upsert: true });
    report(`${name}: done`);
  }
  return pending.map(({ name }) => name);
}

function connected(): mongo.Db {
  if (!mongoose.connection.db) throw new Error('the database is not connected');
  return mongoose.connection.db;
}

/** Waits for the right to migrate. It lasts for a lease, by the database's clock, that signs of life prolong. */
async function takeLock(db: mongo.Db, report: Report) {
  const locks = db.collection<Stored>('migrationLock');
  const mine = { _id: 'migrate', holder: randomUUID() };
  const held = [{ $set: { holder: mine.holder, until: { $add: ['$$NOW', lease] } } }];

  async function take(): Promise<boolean> {
    const expired = { _id: 'migrate', $expr: { $lt: ['$until', '$$NOW'] } };
    if ((await locks.updateOne(expired, held)).matchedCount > 0) return true;
    return locks.updateOne(mine, held, { upsert: true }).then(
      () => true,
      (error: unknown) => {
        if (isDuplicate(error)) return false;
        throw error;
      },
    );
  }

  for (let waits = 0; !(await take()); waits += 1) {
    if (waits === 0) report(`Another process migrates the database; waiting (${lease / 1000} s if it has died)`);
    await sleep(200);
  }
  let lost = false;
  const renewing = setInterval(() => {
    // While the database is away nobody else can take the lock either.
    locks.updateOne(mine, held).then(
      ({ matchedCount }) => {
        lost ||= matchedCount === 0;
      },
      () => {},
    );
  }, renewal);
  return {
    mustHold() {
      if (lost) throw new Error('another process has taken over the migration: run it again');
    },
    async [Symbol.asyncDispose]() {
      clearInterval(renewing);
      await locks.deleteOne(mine);
    },
  };
}
