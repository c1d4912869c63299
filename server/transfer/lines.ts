import { type Model, mongo, type QueryFilter, trusted } from 'mongoose';
import { isDuplicate } from '../database/unique.ts';

/** What is exported: a guild or, where it is null, everything; as of now or of the session's moment. */
export interface Scope {
  guildId: string | null;
  session: mongo.ClientSession | null;
}

/** The part of a filter that keeps to a scope. */
export const inScope = ({ guildId }: Scope) => (guildId === null ? {} : { guildId });

/** What became of a line: it went in, was there before, or cannot go in. */
export type Outcome = 'imported' | 'present' | { problem: string };

const pageSize = 500;

/** The read concern of a scope: that of its snapshot, else the usual one. */
export const concernOf = ({ session }: Scope) => (session ? 'snapshot' : 'majority');

/** The documents behind an id in the order of ids, page by page: no cursor waits for who reads slowly. */
export async function* pagesById<Record extends { _id: string }>(
  model: Model<Record>,
  filter: QueryFilter<Record>,
  scope: Scope,
  after: string | null | undefined,
): AsyncGenerator<Record[]> {
  for (let last = after ?? ''; ; ) {
    const behind = { _id: trusted({ $gt: last }) } as QueryFilter<Record>;
    const page = await model
      .find({ $and: [filter, behind] } as QueryFilter<Record>)
      .sort({ _id: 1 })
      .limit(pageSize)
      .session(scope.session)
      .readConcern(concernOf(scope))
      .lean<Record[]>();
    if (page.length === 0) return;
    yield page;
    last = page.at(-1)?._id ?? '';
  }
}

/** Fields in a given order: the database keeps them in the one in which they were written. */
export function inOrder(fields: object, order: readonly string[]): object {
  const given = new Map(Object.entries(fields));
  return Object.fromEntries(order.filter((name) => given.has(name)).map((name) => [name, given.get(name)]));
}

/** Inserts documents as they are; answers for each the refusal of a unique index, or null. */
export async function insertEach<Record extends { _id: string }>(
  model: Model<Record>,
  records: Record[],
): Promise<(mongo.MongoServerError | null)[]> {
  if (records.length === 0) return [];
  const collection = model.db.collection<Record>(model.collection.name);
  const documents = records as mongo.OptionalUnlessRequiredId<Record>[];
  const refused = new Set<number>();
  try {
    await collection.insertMany(documents, { ordered: false });
  } catch (error) {
    if (!(error instanceof mongo.MongoBulkWriteError) || !isDuplicate(error)) throw error;
    for (const { index } of [error.writeErrors].flat()) refused.add(index);
  }
  // A bulk does not say which index refused; one document alone does.
  const results: (mongo.MongoServerError | null)[] = [];
  for (const [index, document] of documents.entries()) {
    results.push(refused.has(index) ? await insertAlone(collection, document) : null);
  }
  return results;
}

async function insertAlone<Record extends { _id: string }>(
  collection: mongo.Collection<Record>,
  document: mongo.OptionalUnlessRequiredId<Record>,
): Promise<mongo.MongoServerError | null> {
  try {
    await collection.insertOne(document);
    return null;
  } catch (error) {
    if (isDuplicate(error)) return error;
    throw error;
  }
}
