import type { Scope } from '@counterfoil/shared/keys';
import { inTime } from '../database/connect.ts';
import { InvalidKey, MissingKey } from '../errors.ts';
import { Key, type KeyRecord } from './model.ts';
import { hashKey, keyIdOf, sameHash } from './secret.ts';

/** Who calls: a key, as far as procedures need to know it. */
export interface Principal {
  keyId: string;
  scope: Scope;
  /** The guilds that the key may see; null for all. */
  guildIds: string[] | null;
}

/** Milliseconds for which a key document is believed: a revocation is in force everywhere within that time. */
const believedFor = 1000;
const cache = new Map<string, { record: KeyRecord; until: number }>();
let environmentHash: string | null = null;

/** Makes `key` (`COUNTERFOIL_KEY`) an admin key with the id `environment`, held in memory only. */
export function acceptEnvironmentKey(key: string | undefined): void {
  environmentHash = key === undefined ? null : hashKey(key);
}

async function findKey(keyId: string): Promise<KeyRecord | null> {
  const now = performance.now();
  const cached = cache.get(keyId);
  if (cached && cached.until > now) return cached.record;
  const record = await inTime(Key.findById(keyId).lean().exec());
  if (record) cache.set(keyId, { record, until: now + believedFor });
  else cache.delete(keyId);
  return record;
}

function isValid(record: KeyRecord, hash: string, now: Date): boolean {
  if (record.revokedAt || (record.expiresAt && record.expiresAt <= now)) return false;
  return record.secrets.some(
    (secret) => sameHash(secret.hash, hash) && (secret.validUntil === null || secret.validUntil > now),
  );
}

/**
 * Tells whose key the values of the Authorization headers hold: `<key>` or `Bearer <key>`.
 * Throws MissingKey, InvalidKey, or the database's error where the key store is away.
 */
export async function authenticate(headers: readonly string[]): Promise<Principal> {
  const [header] = headers;
  if (!header || /^bearer$/i.test(header)) throw new MissingKey();
  if (headers.length > 1) throw new InvalidKey();
  const key = header.replace(/^bearer +/i, '');
  const hash = hashKey(key);
  if (environmentHash && sameHash(environmentHash, hash)) {
    return { keyId: 'environment', scope: 'admin', guildIds: null };
  }
  const keyId = keyIdOf(key);
  const record = keyId && (await findKey(keyId));
  if (!record || !isValid(record, hash, new Date())) throw new InvalidKey();
  return { keyId: record._id, scope: record.scope, guildIds: record.guildIds };
}
