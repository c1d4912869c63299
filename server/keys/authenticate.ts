import type { Scope } from '@counterfoil/shared/keys';
import { InvalidKey, MissingKey } from '../errors.ts';
import { findKey } from './known.ts';
import { noteUse } from './last-used.ts';
import type { KeyRecord } from './model.ts';
import { hashKey, keyIdOf, sameHash } from './secret.ts';

/** Who calls: a key, as far as procedures need to know it. */
export interface Principal {
  keyId: string;
  scope: Scope;
  /** The guilds that the key may see; null for all. */
  guildIds: string[] | null;
  expiresAt: Date | null;
  /** Requests a second that were set for this key; null where none were. */
  rateLimit: number | null;
}

/** An admin key without bounds. */
const unbound = { scope: 'admin', guildIds: null, expiresAt: null, rateLimit: null } as const;
/** Who acts by the command line, on the database itself. */
export const commandLine: Principal = { ...unbound, keyId: 'cli' };

let environmentHash: string | null = null;

/** Makes `key` (`COUNTERFOIL_KEY`) an admin key with the id `environment`, held in memory only. */
export function acceptEnvironmentKey(key: string | undefined): void {
  environmentHash = key === undefined ? null : hashKey(key);
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
  if (headers.length > 1) throw new InvalidKey();
  if (!header || /^bearer$/i.test(header)) throw new MissingKey();
  const key = header.replace(/^bearer +/i, '');
  const hash = hashKey(key);
  if (environmentHash && sameHash(environmentHash, hash)) {
    return { ...unbound, keyId: 'environment' };
  }
  const keyId = keyIdOf(key);
  const record = keyId && (await findKey(keyId));
  if (!record || !isValid(record, hash, new Date())) throw new InvalidKey();
  const { _id, scope, guildIds, expiresAt, rateLimit } = record;
  noteUse(_id);
  return { keyId: _id, scope, guildIds, expiresAt, rateLimit };
}
