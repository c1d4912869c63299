import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { model, Schema } from 'mongoose';
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

/** The position in a cursor; throws ValidationFailed where it was altered or made for another query. */
export async function readCursor(query: object, cursor: string): Promise<unknown[]> {
  const [payload = '', mac = ''] = cursor.split('.');
  const [given, right] = [Buffer.from(mac), Buffer.from(await seal(query, payload))];
  if (given.length !== right.length || !timingSafeEqual(given, right)) {
    throw new ValidationFailed([{ path: 'cursor', message: 'Altered, or made for another query' }]);
  }
  return JSON.parse(Buffer.from(payload, 'base64url').toString());
}
