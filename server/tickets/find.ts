import type { Context } from '../context.ts';
import { coalesce } from '../database/coalesce.ts';
import { rawCollection } from '../database/raw.ts';
import { TicketNotFound } from '../errors.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { type ShownTicket, shown, Ticket } from './model.ts';

type Find = (shortId: string) => Promise<ShownTicket | null>;

/** Reads of tickets by short id are put together with those of keys that see the same guilds. */
const finds = new Map<string, Find>();
/** So many are kept in mind. */
const mostFinds = 1000;

function findIn(guildIds: string[] | null): Find {
  const id = JSON.stringify(guildIds);
  const known = finds.get(id);
  if (known) return known;
  const find = coalesce(async (shortIds: readonly string[]) => {
    const filter = { shortId: { $in: [...shortIds] }, ...inGuildsOf({ guildIds }) };
    const tickets = await rawCollection(Ticket).find<ShownTicket>(filter, { projection: shown }).toArray();
    const byShortId = new Map(tickets.map((ticket) => [ticket.shortId, ticket]));
    return shortIds.map((shortId) => byShortId.get(shortId) ?? null);
  });
  if (finds.size >= mostFinds) finds.clear();
  finds.set(id, find);
  return find;
}

/** The ticket of a short id, as a majority has confirmed it; throws TicketNotFound, also where the key may not see it. */
export async function findTicket({ key }: Context, shortId: string): Promise<ShownTicket> {
  const ticket = await findIn(key.guildIds)(shortId);
  if (!ticket) throw new TicketNotFound(shortId);
  return ticket;
}
