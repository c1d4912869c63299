import { type Model, type mongo, type QueryFilter, trusted } from 'mongoose';
import { rawCollection } from '../database/raw.ts';
import { isDuplicate, refusalsOf } from '../database/unique.ts';

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
  try {
    const documents = records as mongo.OptionalUnlessRequiredId<Record>[];
    await rawCollection(model).insertMany(documents, { ordered: false });
    return records.map(() => null);
  } catch (error) {
    return refusalsOf(error, records.length).map((refusal) => {
      if (refusal === null || isDuplicate(refusal)) return refusal;
      throw refusal;
    });
  }
}
