import { hash, randomInt, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function randomText(length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}

/** CRC-32 (ISO 3309) of a text, as six characters of base 62. */
function checksum(text: string): string {
  let rest = crc32(text);
  let digits = '';
  for (let place = 0; place < 6; place += 1) {
    digits = alphabet[rest % alphabet.length] + digits;
    rest = Math.floor(rest / alphabet.length);
  }
  return digits;
}

/** A new secret for a key: `cfl_<8 id>_<32 secret><6 checksum>`. */
export function makeSecret(keyId: string): string {
  const unchecked = `cfl_${keyId}_${randomText(32)}`;
  return unchecked + checksum(unchecked);
}

/** A new key and its id. */
export function makeKey(): { keyId: string; key: string } {
  const keyId = randomText(8);
  return { keyId, key: makeSecret(keyId) };
}

/** The id of a well-formed key, or null; a wrong checksum is caught here, without a database call. */
export function keyIdOf(key: string): string | null {
  const match = /^(cfl_([0-9A-Za-z]{8})_[0-9A-Za-z]{32})([0-9A-Za-z]{6})$/.exec(key);
  return match?.[1] && match[2] && checksum(match[1]) === match[3] ? match[2] : null;
}

/** SHA-256 of a key, hex. */
export function hashKey(key: string): string {
  return hash('sha256', key);
}

/** Compares two hashes in constant time. */
export function sameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
