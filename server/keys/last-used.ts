import { trusted } from 'mongoose';
import { Key } from './model.ts';

const minute = 60_000;
/** Milliseconds between two times that uses are stored. */
const storeEvery = 5_000;

/** The minute of each key's last use that is not stored yet, and of the last that is. */
const unstored = new Map<string, number>();
const stored = new Map<string, number>();

/** Keeps in mind that a key was used; it is stored a little later, at most once a minute. */
export function noteUse(keyId: string): void {
  const now = Math.floor(Date.now() / minute);
  if (stored.get(keyId) !== now) unstored.set(keyId, now);
}

/** Stores the last uses of keys. Those that cannot be stored are kept for the next time. */
async function storeUses(): Promise<void> {
  const uses = [...unstored];
  if (uses.length === 0) return;
  unstored.clear();
  try {
    await Key.bulkWrite(
      uses.map(([keyId, at]) => {
        const lastUsedAt = new Date(at * minute);
        const filter = { _id: keyId, $or: [{ lastUsedAt: null }, { lastUsedAt: trusted({ $lt: lastUsedAt }) }] };
        return { updateOne: { filter, update: { $set: { lastUsedAt } } } };
      }),
      { ordered: false },
    );
    for (const [keyId, at] of uses) stored.set(keyId, at);
  } catch {
    for (const [keyId, at] of uses) if (!unstored.has(keyId)) unstored.set(keyId, at);
  }
}

/** Stores the last uses every five seconds; answers a function that ends it, and stores what is left. */
export function storeUsesRegularly(): () => Promise<void> {
  const timer = setInterval(() => void storeUses(), storeEvery).unref();
  return async () => {
    clearInterval(timer);
    await storeUses();
  };
}
