import type { Scope } from '@counterfoil/shared/keys';
import { model, Schema } from 'mongoose';

/** A key of the service. Its secrets are kept as SHA-256 only. */
export interface KeyRecord {
  /** The 8 characters after `cfl_`. */
  _id: string;
  name: string;
  scope: Scope;
  /** The guilds that the key may see; null for all. */
  guildIds: string[] | null;
  /** The hashes of whole keys, hex; one that was rotated out is valid until `validUntil`. */
  secrets: { hash: string; validUntil: Date | null }[];
  rateLimit: number | null;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
  /** Set on the key of the first start alone, so that simultaneous first starts make one. */
  first?: true;
}

const schema = new Schema<KeyRecord>(
  {
    _id: { type: String, required: true },
    name: { type: String, required: true },
    scope: { type: String, required: true },
    guildIds: { type: [String], default: null },
    secrets: { type: [{ _id: false, hash: String, validUntil: Date }], required: true },
    rateLimit: { type: Number, default: null },
    createdAt: { type: Date, required: true },
    expiresAt: { type: Date, default: null },
    lastUsedAt: { type: Date, default: null },
    revokedAt: { type: Date, default: null },
    first: { type: Boolean },
  },
  { collection: 'keys', versionKey: false, strict: 'throw' },
);
schema.index({ first: 1 }, { unique: true, partialFilterExpression: { first: true } });

export const Key = model<KeyRecord>('Key', schema);
