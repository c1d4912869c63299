import { mongo } from 'mongoose';
import { redact } from '../../operations/logger.ts';
import { StartupError } from '../../startup-error.ts';

/** Tells how many documents a step has done; throws where another process has taken over. */
export type Progress = (done: number) => void;

/** A numbered change of what is stored. It may be killed anywhere, and is then run again from its beginning. */
export interface Migration {
  name: string;
  up(db: mongo.Db, progress: Progress): Promise<void>;
}

/** What every stored thing has. */
export interface Stored extends mongo.BSON.Document {
  _id: string;
}

/** The documents that a step reads and writes at a time. */
const batchSize = 500;

/** Creates indexes where they are missing; throws a StartupError where the database refuses. */
export async function createIndexes(
  db: mongo.Db,
  collection: string,
  indexes: [key: Record<string, 1 | -1>, options?: Omit<mongo.IndexDescription, 'key'>][],
): Promise<void> {
  try {
    await db.collection(collection).createIndexes(indexes.map(([key, options]) => ({ key, ...options })));
  } catch (error) {
    if (!(error instanceof mongo.MongoServerError)) throw error;
    const advice = 'May the user of MONGODB_URI read and write its database?';
    throw new StartupError(
      'databaseUnreachable',
      `The indexes could not be created: ${redact(error.message)}\n${advice}`,
    );
  }
}

/**
 * Sets fields in every document that is `lacking` them, from what else the document holds. A document that changed
 * between the read and the write, by its `version`, is read again.
 */
export async function fillIn<Record extends Stored & { version: number }>(
  collection: mongo.Collection<Record>,
  lacking: mongo.Filter<Stored>,
  fieldsOf: (document: Record) => object,
  progress: Progress,
): Promise<void> {
  const stored = collection as unknown as mongo.Collection<Stored>;
  let done = 0;
  for (let last = '', missed = 0; ; ) {
    const found = await stored
      .find({ ...lacking, _id: { $gt: last } })
      .sort({ _id: 1 })
      .limit(batchSize)
      .toArray();
    if (found.length === 0 && missed === 0) return;
    if (found.length > 0) {
      const { matchedCount } = await stored.bulkWrite(
        found.map((document) => {
          const filter = { ...lacking, _id: document._id, version: document.version };
          return { updateOne: { filter, update: { $set: fieldsOf(document as Record) } } };
        }),
        { ordered: false },
      );
      done += matchedCount;
      missed += found.length - matchedCount;
    } else {
      missed = 0;
    }
    last = found.at(-1)?._id ?? '';
    progress(done);
  }
}
