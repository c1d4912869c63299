import { AmbiguousName, TicketNotFound } from '../errors.ts';
import type { Principal } from '../keys/authenticate.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { type ShownTicket, shown, Ticket } from './model.ts';

/** Guilds that an ambiguous name tells of, at most. */
const guildsTold = 100;

/**
 * The ticket of a name, among those that the key sees: the open one, else the newest closed one.
 * Throws TicketNotFound, or AmbiguousName where several guilds have one.
 */
export async function findByName(
  key: Principal,
  { ticketName, guildId }: { ticketName: string; guildId?: string | undefined },
): Promise<ShownTicket> {
  const visible = { ...inGuildsOf(key), ...(guildId !== undefined && { guildId }) };
  for (const closed of [false, true]) {
    // One row a guild, read off the index on { ticketName, closed, guildId, createdAt, _id }.
    const newest: { _id: string; ticketId: string }[] = await Ticket.aggregate([
      { $match: { ticketName, closed, ...visible } },
      { $sort: { ticketName: 1, closed: 1, guildId: 1, createdAt: -1, _id: -1 } },
      { $group: { _id: '$guildId', ticketId: { $first: '$_id' } } },
      { $sort: { _id: 1 } },
      { $limit: guildsTold },
    ]);
    if (newest.length > 1) throw new AmbiguousName(ticketName, newest.map(({ _id }) => _id).sort());
    const ticket = newest[0] && (await Ticket.findOne({ _id: newest[0].ticketId, closed }, shown).lean());
    if (ticket) return ticket;
  }
  throw new TicketNotFound(ticketName);
}
