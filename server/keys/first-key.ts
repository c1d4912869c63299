import { isDuplicate } from '../database/unique.ts';
import { Key } from './model.ts';
import { hashKey, makeKey } from './secret.ts';

/**
 * Makes the admin key of the first start and returns it, or null where any key document exists.
 * `keep` gets the key before it is stored, so that a crash cannot leave a key that nobody knows.
 */
export async function makeFirstKey(keep: (key: string) => Promise<void>): Promise<string | null> {
  if (await Key.exists({})) return null;
  const { keyId, key } = makeKey();
  await keep(key);
  try {
    await Key.create({
      _id: keyId,
      name: 'first start',
      scope: 'admin',
      secrets: [{ hash: hashKey(key), validUntil: null }],
      createdAt: new Date(),
      first: true,
    });
  } catch (error) {
    if (isDuplicate(error)) return null;
    throw error;
  }
  return key;
}
