import type { KeyRecord } from 'counterfoil/keys/model';
import { hashKey, keyIdOf, sameHash } from 'counterfoil/keys/secret';
import { Refusal, type Store } from './documents.ts';

/** Milliseconds for which a key is believed to be as it was read. */
const believedFor = 4000;

/** Makes the check of every request's key: its hash each time, against a key document of some seconds ago at most. */
export function createAuthentication({ findKey }: Pick<Store, 'findKey'>) {
  const known = new Map<string, { record: KeyRecord; readAt: number }>();

  async function recordOf(keyId: string): Promise<KeyRecord | null> {
    const entry = known.get(keyId);
    if (entry && entry.readAt + believedFor > Date.now()) return entry.record;
    const record = await findKey(keyId);
    if (record) known.set(keyId, { record, readAt: Date.now() });
    return record;
  }

  return async (header: string | undefined): Promise<KeyRecord> => {
    if (!header) throw new Refusal(401, 'missing_key');
    const key = header.replace(/^bearer +/i, '');
    const keyId = keyIdOf(key);
    const record = keyId && (await recordOf(keyId));
    const now = new Date();
    if (!record || record.revokedAt || (record.expiresAt && record.expiresAt <= now)) {
      throw new Refusal(401, 'invalid_key');
    }
    const hash = hashKey(key);
    const isValid = record.secrets.some(
      (secret) => sameHash(secret.hash, hash) && (secret.validUntil === null || secret.validUntil > now),
    );
    if (!isValid) throw new Refusal(401, 'invalid_key');
    return record;
  };
}
