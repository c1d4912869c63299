import mongoose, { type mongo } from 'mongoose';
import { DatabaseUnavailable } from '../errors.ts';

/** Milliseconds for which a transaction is begun again, and that a majority gets to confirm it. */
export const patience = 5000;

/**
 * Does all of `work` or nothing of it, on one state of the database. It is begun again where others wrote the same documents
 * meanwhile, so it must do nothing but read and write with the session. Throws DatabaseUnavailable where it does not get
 * through before `giveUpAt` (as of performance.now()).
 */
export async function inTransaction<Result>(
  work: (session: mongo.ClientSession) => Promise<Result>,
  giveUpAt = performance.now() + patience,
): Promise<Result> {
  return mongoose.connection.getClient().withSession((session) =>
    session.withTransaction(
      () => {
        if (performance.now() > giveUpAt) throw new DatabaseUnavailable();
        return work(session);
      },
      { readConcern: { level: 'snapshot' }, maxCommitTimeMS: patience },
    ),
  );
}

/** The last work of this process on each id. */
const lastOf = new Map<string, Promise<unknown>>();

/** Does works on one id after the other: at once their transactions would only make each other begin again. */
export async function oneAtATime<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
  const mine = (lastOf.get(id) ?? Promise.resolve()).then(work);
  const ended = mine.catch(() => {});
  lastOf.set(id, ended);
  try {
    return await mine;
  } finally {
    if (lastOf.get(id) === ended) lastOf.delete(id);
  }
}
