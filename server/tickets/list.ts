import type { CountTickets, ListTickets } from '@counterfoil/shared/list';
import { type QueryFilter, trusted } from 'mongoose';
import { makeCursor, readCursor } from '../database/cursor.ts';
import type { Principal } from '../keys/authenticate.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { type ShownTicket, shown, Ticket, type TicketRecord } from './model.ts';

/** Milliseconds that the database gets for one page or one count. */
const timeLimit = 5000;
const countLimit = 10_000;

/** The filters that have an index within a guild, the most selective first, and their stored fields. */
const selective = [
  ['channelId', 'channelId'],
  ['ticketOwner', 'ticketOwner'],
  ['claimedBy', 'claimedBy'],
  ['label', 'labels'],
  ['ticketType', 'ticketType'],
  ['status', 'closed'],
] as const;

const orders = {
  newest: { field: 'createdAt', direction: -1 },
  oldest: { field: 'createdAt', direction: 1 },
  updated: { field: 'updatedAt', direction: -1 },
} as const;

type PageOrder = CountTickets & Pick<ListTickets, 'sort'>;

/** The index to read a guild's tickets from: that of the filter given which leaves the fewest. The planner may err. */
function indexFor(query: CountTickets, time: 'createdAt' | 'updatedAt'): Record<string, 1 | -1> | undefined {
  if (query.guildId === undefined) return undefined;
  const given = selective.find(([filter]) => query[filter] !== undefined);
  return { guildId: 1, ...(given && { [given[1]]: 1 }), [time]: -1, _id: -1 };
}

function filterOf(key: Principal, query: CountTickets): QueryFilter<TicketRecord>[] {
  const { guildId, ticketType, status, ticketOwner, claimedBy, channelId, label, priority } = query;
  const { createdAfter, createdBefore } = query;
  const exact = { guildId, ticketType, ticketOwner, channelId, priority, labels: label };
  return [
    inGuildsOf(key),
    Object.fromEntries(Object.entries(exact).filter(([, value]) => value !== undefined)),
    status === undefined ? {} : { closed: status === 'closed' },
    claimedBy === undefined ? {} : { claimedBy: claimedBy === 'none' ? null : claimedBy },
    createdAfter ? { createdAt: trusted({ $gt: createdAfter }) } : {},
    createdBefore ? { createdAt: trusted({ $lt: createdBefore }) } : {},
  ];
}

/** What comes behind a position in the order: the same time with the next id, or any later time. */
function behind({ field, direction }: (typeof orders)[keyof typeof orders], [time, id]: (string | number)[]) {
  const beyond = direction === 1 ? '$gt' : '$lt';
  const at = new Date(Number(time));
  const sameTime = { [field]: at, _id: trusted({ [beyond]: id }) };
  // The bound on the time alone lets the index begin there; the $or decides among equal times.
  return { [field]: trusted({ [`${beyond}e`]: at }), $or: [sameTime, { [field]: trusted({ [beyond]: at }) }] };
}

/** The database's query of one page, from a position on. */
export function findPage(key: Principal, query: PageOrder, position: object, limit: number) {
  const { field, direction } = orders[query.sort];
  const page = Ticket.find({ $and: [...filterOf(key, query), position] }, shown)
    .sort({ [field]: direction, _id: direction })
    .limit(limit)
    .maxTimeMS(timeLimit);
  const index = indexFor(query, field);
  return index ? page.hint(index) : page;
}

/** One page of tickets by keyset, and the cursor of the next, null at the end. Throws ValidationFailed on a bad cursor. */
export async function listTickets(
  key: Principal,
  { limit, cursor, ...query }: ListTickets,
): Promise<{ tickets: ShownTicket[]; nextCursor: string | null }> {
  const order = orders[query.sort];
  const position = cursor === undefined ? {} : behind(order, await readCursor(query, cursor));
  const found = await findPage(key, query, position, limit + 1).lean();
  const tickets = found.slice(0, limit);
  const last = tickets.at(-1);
  const more = found.length > limit && last;
  return { tickets, nextCursor: more ? await makeCursor(query, [last[order.field].getTime(), last._id]) : null };
}

/** How many tickets match, counted up to 10,000. */
export async function countTickets(key: Principal, query: CountTickets): Promise<{ count: number; exact: boolean }> {
  const count = await Ticket.countDocuments({ $and: filterOf(key, query) })
    .limit(countLimit + 1)
    .maxTimeMS(timeLimit);
  return { count: Math.min(count, countLimit), exact: count <= countLimit };
}
