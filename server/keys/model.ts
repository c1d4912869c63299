import type { Key as ApiKey, Scope } from '@counterfoil/shared/keys';
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
  /** Requests a second; null for the server's own limit. */
  rateLimit: number | null;
  createdAt: Date;
  expiresAt: Date | null;
  /** The minute of the last use. */
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

const iso = (date: Date | null) => date?.toISOString() ?? null;

/** The key as every route returns it: without its secrets. */
export function toApi({ _id: keyId, secrets: _secrets, first: _first, ...key }: KeyRecord): ApiKey {
  return {
    ...key,
    keyId,
    createdAt: key.createdAt.toISOString(),
    expiresAt: iso(key.expiresAt),
    lastUsedAt: iso(key.lastUsedAt),
    revokedAt: iso(key.revokedAt),
  };
}
