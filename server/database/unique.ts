import { type Model, mongo, type QueryFilter } from 'mongoose';
import { inTransaction } from './transaction.ts';

/** Whether a unique index refused a write. */
export function isDuplicate(error: unknown): error is mongo.MongoServerError {
  return error instanceof mongo.MongoServerError && error.code === 11000;
}

/** The last field of the unique index that refused a write. */
export function duplicateField({ keyPattern, message }: mongo.MongoServerError): string {
  if (keyPattern) return Object.keys(keyPattern).at(-1) ?? '';
  // Of a batch the driver hands on only the message, with the name of the index: `guildId_1_ticketName_1`.
  const [, index = ''] = / index: (\S+)/.exec(message) ?? [];
  return index === '_id_' ? '_id' : (index.replace(/_-?1$/, '').split(/_-?1_/).at(-1) ?? '');
}

/**
 * What an unordered write of several documents came to for each of them, by the error that it threw: null, or the
 * document's own error. Throws what the server said of the whole batch, and MongoNetworkError where it said nothing or a
 * majority has not confirmed it: the driver hides that in an error of its own.
 */
export function refusalsOf(error: unknown, documents: number): (null | Error)[] {
  if (!(error instanceof mongo.MongoBulkWriteError)) throw error;
  const refused = [error.writeErrors].flat();
  if (refused.length === 0) {
    const isAnswer = typeof error.code === 'number' && !error.result.getWriteConcernError();
    throw isAnswer ? error : new mongo.MongoNetworkError(error.message, { cause: error });
  }
  const outcomes = Array<null | Error>(documents).fill(null);
  for (const { index, code, errmsg = '' } of refused) {
    outcomes[index] = new mongo.MongoServerError({ code, message: errmsg });
  }
  return outcomes;
}

/**
 * Finds the document that `filter` names, or inserts it with `made`, in one atomic step, and where it inserts it does
 * `alongside` in the same transaction. Answers null where it does not exist and another unique index forbids to insert it.
 */
export async function findOrInsert<Record>(
  model: Model<Record>,
  filter: QueryFilter<Record>,
  made: Partial<Record>,
  alongside?: (record: Record, session: mongo.ClientSession) => Promise<void>,
): Promise<{ created: boolean; record: Record } | null> {
  const once = async (session: mongo.ClientSession | null) => {
    const { value, lastErrorObject } = await model.findOneAndUpdate(
      filter,
      { $setOnInsert: made },
      { upsert: true, returnDocument: 'after', includeResultMetadata: true, lean: true, session },
    );
    if (!value) return null;
    const found = { created: lastErrorObject?.updatedExisting === false, record: value as Record };
    if (session && found.created) await alongside?.(found.record, session);
    return found;
  };
  // Simultaneous inserts: the loser is refused once, and finds the winner's document the next time.
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    try {
      const found = await (alongside ? inTransaction(once) : once(null));
      if (found) return found;
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  }
  return null;
}
