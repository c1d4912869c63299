import { randomUUID } from 'node:crypto';
import type { AuditEntry as ApiAuditEntry, AuditAction } from '@counterfoil/shared/audit';
import { model, type mongo, Schema } from 'mongoose';
import type { Context } from '../context.ts';

type Fields = Record<string, unknown> | null;

/** One change of a key or of a ticket type: who made it, and what it changed. */
interface AuditRecord {
  _id: string;
  at: Date;
  keyId: string;
  requestId: string;
  action: AuditAction;
  target: string;
  /** The guilds that it concerns; null for all. */
  guildIds: string[] | null;
  before: Fields;
  after: Fields;
}

const mixed = { type: Schema.Types.Mixed, default: null };
const schema = new Schema<AuditRecord>(
  {
    _id: { type: String, required: true },
    at: { type: Date, required: true },
    keyId: { type: String, required: true },
    requestId: { type: String, required: true },
    action: { type: String, required: true },
    target: { type: String, required: true },
    guildIds: { type: [String], default: null },
    before: mixed,
    after: mixed,
  },
  { collection: 'audit', versionKey: false, strict: 'throw', minimize: false },
);
schema.index({ at: -1, _id: -1 });
schema.index({ guildIds: 1, at: -1, _id: -1 });

export const Audit = model<AuditRecord>('Audit', schema);

/** Writes down a change, in the transaction that makes it. */
export async function recordChange(
  { requestId, key }: Pick<Context, 'requestId'> & { key: { keyId: string } },
  change: { action: AuditAction; target: string; guildIds: readonly string[] | null; before: Fields; after: Fields },
  session: mongo.ClientSession,
): Promise<void> {
  const entry = {
    _id: randomUUID(),
    at: new Date(),
    keyId: key.keyId,
    requestId,
    ...change,
    guildIds: change.guildIds && [...change.guildIds],
  };
  await Audit.create([entry], { session });
}

/** The entry as the route returns it. */
export function toApi({ _id: entryId, at, ...entry }: AuditRecord): ApiAuditEntry {
  return { entryId, at: at.toISOString(), ...entry };
}
