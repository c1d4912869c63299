import { randomUUID } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { keyIdOf } from 'counterfoil/keys/secret';

/** Where every process of a test run writes down what it has searched, and which keys it has found. */
export const folder = fileURLToPath(new URL('../../.cache/leaks', import.meta.url));

/** A key that was seen where it should not be: in which log or answer. */
export interface Leak {
  where: string;
  keyId: string;
}

/** How many texts were searched, and their length. */
export interface Searched {
  texts: number;
  characters: number;
}

const file = join(folder, randomUUID());
const searched: Searched = { texts: 0, characters: 0 };
let isNoted = true;

setInterval(() => {
  if (isNoted) return;
  isNoted = true;
  writeFileSync(`${file}.searched`, JSON.stringify(searched));
}, 200).unref();

/** Searches a text for whole keys of the service, and for `other` keys of any form; writes down each that it finds. */
export function search(where: string, text: string, ...other: (string | undefined)[]): void {
  searched.texts += 1;
  searched.characters += text.length;
  isNoted = false;
  const keys = text.includes('cfl_') ? (text.match(/cfl_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}/g) ?? []) : [];
  const keyIds = keys.flatMap((key) => keyIdOf(key) ?? []);
  const others = other.filter((key) => key !== undefined && text.includes(key)).map(() => 'environment');
  for (const keyId of [...keyIds, ...others]) {
    const leak: Leak = { where, keyId };
    appendFileSync(`${file}.leaks`, `${JSON.stringify(leak)}\n`);
  }
}
