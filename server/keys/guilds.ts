import { trusted } from 'mongoose';
import { GuildNotAllowed } from '../errors.ts';
import type { Principal } from './authenticate.ts';

/** The part of every filter on what belongs to one guild that keeps a key to its guilds. */
export function inGuildsOf(key: Pick<Principal, 'guildIds'>) {
  return key.guildIds === null ? {} : { guildId: trusted({ $in: key.guildIds }) };
}

/** As `inGuildsOf`, for what concerns several guilds or all (null): a key of some guilds sees what concerns no other. */
export function ofGuildsOf(key: Pick<Principal, 'guildIds'>) {
  if (key.guildIds === null) return {};
  return { guildIds: trusted({ $in: key.guildIds, $not: { $elemMatch: { $nin: key.guildIds } } }) };
}

/** Throws GuildNotAllowed where a key may not act in one of these guilds, or in all (null). */
export function requireGuilds(key: Pick<Principal, 'guildIds'>, guildIds: readonly string[] | null): void {
  if (key.guildIds === null) return;
  if (guildIds === null) throw new GuildNotAllowed(null);
  const foreign = guildIds.find((guildId) => !key.guildIds?.includes(guildId));
  if (foreign !== undefined) throw new GuildNotAllowed(foreign);
}
