import { type Model, mongo, type QueryFilter } from 'mongoose';

/** Whether a unique index refused a write. */
export function isDuplicate(error: unknown): error is mongo.MongoServerError {
  return error instanceof mongo.MongoServerError && error.code === 11000;
}

/** The last field of the unique index that refused a write. */
export function duplicateField(error: mongo.MongoServerError): string {
  return Object.keys(error.keyPattern ?? {}).at(-1) ?? '';
}

/**
 * Finds the document that `filter` names, or inserts it with `made`, in one atomic step.
 * Answers null where it does not exist and another unique index forbids to insert it.
 */
export async function findOrInsert<Record>(
  model: Model<Record>,
  filter: QueryFilter<Record>,
  made: Partial<Record>,
): Promise<{ created: boolean; record: Record } | null> {
  // Simultaneous inserts: the loser is refused once, and finds the winner's document the next time.
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    try {
      const { value, lastErrorObject } = await model.findOneAndUpdate(
        filter,
        { $setOnInsert: made },
        { upsert: true, returnDocument: 'after', includeResultMetadata: true, lean: true },
      );
      if (value) return { created: lastErrorObject?.updatedExisting === false, record: value as Record };
    } catch (error) {
      if (!isDuplicate(error)) throw error;
    }
  }
  return null;
}
