import { setTimeout as sleep } from 'node:timers/promises';
import mongoose, { type mongo } from 'mongoose';
import { inTime } from '../database/connect.ts';
import type { Logger } from '../operations/logger.ts';
import { Key, type KeyRecord } from './model.ts';

/**
 * Milliseconds for which a key is believed to be as it was, from when it was read or the change stream had told
 * everything: that long a revocation may take where the stream is away.
 */
const believedFor = 4000;
/** Milliseconds that the database waits for a change before it says that there was none. */
const streamWait = 500;
/** Milliseconds after which a stream that broke is opened again. */
const reopenWait = 500;

const known = new Map<string, { record: KeyRecord; readAt: number }>();
/** Up to when the stream has told of every change, as of performance.now(). */
let toldUntil = Number.NEGATIVE_INFINITY;
/** How many changes were told: what was read while one came in may be older than it. */
let changes = 0;

/** Makes the next use of a key read it again; without an id, of every key. */
export function forgetKey(keyId?: string): void {
  changes += 1;
  if (keyId === undefined) known.clear();
  else known.delete(keyId);
}

/** The key document of an id, or null: from memory as long as no change of it is known. */
export async function findKey(keyId: string): Promise<KeyRecord | null> {
  const entry = known.get(keyId);
  const startedAt = performance.now();
  if (entry && Math.max(entry.readAt, toldUntil) + believedFor > startedAt) return entry.record;
  const seen = changes;
  const record = await inTime(Key.findById(keyId).lean().exec());
  if (record && seen === changes) known.set(keyId, { record, readAt: startedAt });
  if (!record) known.delete(keyId);
  return record;
}

// When a key was last used is no reason to read it again.
const pipeline = [{ $match: { 'updateDescription.updatedFields.lastUsedAt': { $exists: false } } }];

/** Hears of every change of a key until the stream breaks. */
async function follow(stream: mongo.ChangeStream<KeyRecord>): Promise<never> {
  // The first answer comes when the stream is open: what was read before may have changed before.
  await stream.tryNext();
  forgetKey();
  for (;;) {
    const askedAt = performance.now();
    const change = await stream.tryNext();
    // Where the collection was dropped, by a restore for instance, the stream ends without an error.
    if (stream.closed) throw new Error('the change stream of the keys has ended');
    if (change === null) toldUntil = askedAt;
    else forgetKey('documentKey' in change ? change.documentKey._id : undefined);
  }
}

/**
 * Follows the changes of keys, so that a revocation by any process is in force here at once. Answers a function
 * that ends it.
 */
export function watchKeys(logger: Logger): () => Promise<void> {
  let ended = false;
  let stream: mongo.ChangeStream<KeyRecord> | undefined;
  const open = () => {
    const keys = mongoose.connection.getClient().db(mongoose.connection.name).collection<KeyRecord>('keys');
    stream = keys.watch<KeyRecord>(pipeline, { maxAwaitTimeMS: streamWait });
    return stream;
  };
  const following = (async () => {
    while (!ended) {
      try {
        await follow(open());
      } catch (error) {
        if (ended) return;
        logger.warn({ err: error }, 'the change stream of the keys broke; it is opened again');
        await stream?.close().catch(() => {});
        await sleep(reopenWait);
      }
    }
  })();
  return async () => {
    ended = true;
    await stream?.close().catch(() => {});
    await following;
  };
}
