import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { model, Schema, trusted } from 'mongoose';
import { ValidationFailed } from '../errors.ts';
import { findOrInsert } from './unique.ts';

/** What all processes over one database share. */
const Setting = model<{ _id: string; value: string }>(
  'Setting',
  new Schema<{ _id: string; value: string }>(
    { _id: { type: String, required: true }, value: { type: String, required: true } },
    { collection: 'settings', versionKey: false, strict: 'throw' },
  ),
);

let secret: string | undefined;

async function sharedSecret(): Promise<string> {
  if (secret !== undefined) return secret;
  const made = { value: randomBytes(32).toString('base64url') };
  const found = await findOrInsert(Setting, { _id: 'cursor-secret' }, made);
  if (!found) throw new Error('the secret of cursors could not be stored');
  secret = found.record.value;
  return secret;
}

/** A position in a list: a time in milliseconds, and the id of what has that time. */
export type Position = [time: number, id: string];

/** The part of a filter that finds what comes behind a position in an order: the same time with the next id, or any later time. */
export function behind({ field, direction }: { field: string; direction: 1 | -1 }, [time, id]: Position) {
  const beyond = direction === 1 ? '$gt' : '$lt';
  const at = new Date(time);
  const sameTime = { [field]: at, _id: trusted({ [beyond]: id }) };
  // The bound on the time alone lets the index begin there; the $or decides among equal times.
  return { [field]: trusted({ [`${beyond}e`]: at }), $or: [sameTime, { [field]: trusted({ [beyond]: at }) }] };
}

/** HMAC-SHA-256 over the query and the position, 16 bytes of it: who alters either has no valid cursor. */
async function seal(query: object, payload: string): Promise<string> {
  const queryHash = createHash('sha256').update(JSON.stringify(query)).digest('base64url');
  const mac = createHmac('sha256', await sharedSecret())
    .update(`${queryHash}.${payload}`)
    .digest();
  return mac.subarray(0, 16).toString('base64url');
}

/** A cursor: where to go on with this query. */
export async function makeCursor(query: object, position: readonly unknown[]): Promise<string> {
  const payload = Buffer.from(JSON.stringify(position)).toString('base64url');
  return `${payload}.${await seal(query, payload)}`;
}

/**
 * What `makeCursor` put into a cursor: the seal guarantees that it is this query's, and so of its type.
 * Throws ValidationFailed where it was altered or made for another query.
 */
export async function readCursor<Content extends unknown[]>(query: object, cursor: string): Promise<Content> {
  const [payload = '', mac = ''] = cursor.split('.');
  const [given, right] = [Buffer.from(mac), Buffer.from(await seal(query, payload))];
  if (given.length !== right.length || !timingSafeEqual(given, right)) {
    throw new ValidationFailed([{ path: 'cursor', message: 'Altered, or made for another query' }]);
  }
  return JSON.parse(Buffer.from(payload, 'base64url').toString());
}

/** A page of what `read` finds behind the cursor, at most so many, newest first by `field`; and where the next one begins. */
export async function newestFirst<Field extends string, Record extends { _id: string } & { [F in Field]: Date }>(
  query: object,
  { limit, cursor }: { limit: number; cursor?: string | undefined },
  field: Field,
  read: (behindCursor: object, count: number) => PromiseLike<Record[]>,
): Promise<{ records: Record[]; nextCursor: string | null }> {
  const position = cursor === undefined ? null : await readCursor<Position>(query, cursor);
  const found = await read(position ? behind({ field, direction: -1 }, position) : {}, limit + 1);
  const records = found.slice(0, limit);
  const last = found.length > limit ? records.at(-1) : undefined;
  return { records, nextCursor: last ? await makeCursor(query, [last[field].getTime(), last._id]) : null };
}
