import { randomInt } from 'node:crypto';

/** A new Discord id: a guild, person or channel that no other test knows. */
export function snowflake(): string {
  return `9${String(randomInt(2 ** 47)).padStart(17, '0')}`;
}
