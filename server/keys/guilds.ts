import { trusted } from 'mongoose';
import type { Principal } from './authenticate.ts';

/** The part of every filter that keeps a key to its guilds. */
export function inGuildsOf(key: Principal) {
  return key.guildIds === null ? {} : { guildId: trusted({ $in: key.guildIds }) };
}
