import type { Context } from '../context.ts';
import { coalesce } from '../database/coalesce.ts';
import { rawCollection } from '../database/raw.ts';
import { TicketNotFound } from '../errors.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { type ShownTicket, shown, Ticket } from './model.ts';

/** As `shown`, by the names of what is left in: MongoDB makes many tickets quicker so, and one alone as quickly. */
const named = Object.fromEntries(
  Object.keys(Ticket.schema.paths)
    .filter((path) => !Object.hasOwn(shown, path))
    .map((path) => [path, 1]),
);

type Find = (shortId: string) => Promise<ShownTicket | null>;

/** Reads by short id are put together with others of the same key, or of keys that see every guild. */
const finds = new WeakMap<readonly string[], Find>();
const everyGuild: readonly string[] = [];

function findIn(guildIds: string[] | null): Find {
  const known = finds.get(guildIds ?? everyGuild);
  if (known) return known;
  const find = coalesce(async (shortIds: readonly string[]) => {
    const filter = { shortId: { $in: [...shortIds] }, ...inGuildsOf({ guildIds }) };
    const tickets = await rawCollection(Ticket).find<ShownTicket>(filter, { projection: named }).toArray();
    const byShortId = new Map(tickets.map((ticket) => [ticket.shortId, ticket]));
    return shortIds.map((shortId) => byShortId.get(shortId) ?? null);
  });
  finds.set(guildIds ?? everyGuild, find);
  return find;
}

/** The ticket of a short id, as a majority has confirmed it; throws TicketNotFound, also where the key may not see it. */
export async function findTicket({ key }: Context, shortId: string): Promise<ShownTicket> {
  const ticket = await findIn(key.guildIds)(shortId);
  if (!ticket) throw new TicketNotFound(shortId);
  return ticket;
}
