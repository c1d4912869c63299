import { randomUUID } from 'node:crypto';
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashKey, keyIdOf } from 'counterfoil/keys/secret';

/** Where every process of a test run writes down what it has searched, and which keys it has found. */
export const folder = fileURLToPath(new URL('../../.cache/leaks', import.meta.url));

/** A key that was seen where it should not be: in which log or answer. */
export interface Leak {
  where: string;
  keyId: string;
  /** SHA-256 of it, to tell secrets of one key apart. */
  hash: string;
}

/** How many texts were searched, and their length. */
export interface Searched {
  texts: number;
  characters: number;
}

mkdirSync(folder, { recursive: true });
const file = join(folder, randomUUID());
const searched: Searched = { texts: 0, characters: 0 };
let isNoted = true;

setInterval(() => {
  if (isNoted) return;
  isNoted = true;
  // A process may be killed anywhere: the file is whole, or that of before.
  writeFileSync(`${file}.new`, JSON.stringify(searched));
  renameSync(`${file}.new`, `${file}.searched`);
}, 200).unref();

/** Searches a text for whole keys of the service, and for `other` keys of any form; writes down each that it finds. */
export function search(where: string, text: string, ...other: (string | undefined)[]): void {
  searched.texts += 1;
  searched.characters += text.length;
  isNoted = false;
  const keys = text.includes('cfl_') ? (text.match(/cfl_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}/g) ?? []) : [];
  const leaked = keys.flatMap((key) => ({ keyId: keyIdOf(key), hash: hashKey(key) }));
  const others = other.flatMap((key) =>
    key && text.includes(key) ? { keyId: 'environment', hash: hashKey(key) } : [],
  );
  for (const { keyId, hash } of [...leaked, ...others]) {
    if (keyId === null) continue;
    const leak: Leak = { where, keyId, hash };
    appendFileSync(`${file}.leaks`, `${JSON.stringify(leak)}\n`);
  }
}
