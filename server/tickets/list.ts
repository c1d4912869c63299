import type { CountTickets, ListTickets } from '@counterfoil/shared/list';
import { limits } from '@counterfoil/shared/primitives';
import { type QueryFilter, trusted } from 'mongoose';
import { behind, makeCursor, type Position, readCursor } from '../database/cursor.ts';
import type { Principal } from '../keys/authenticate.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { type ShownTicket, shown, Ticket, type TicketRecord } from './model.ts';
import { wordsOf } from './search.ts';

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

/** Where a page begins, and the floor of its search. */
type Bounds = [Position, Position | null];
type PageOrder = CountTickets & Pick<ListTickets, 'sort'>;

const searchIndex = { guildId: 1, searchWords: 1, createdAt: -1, _id: -1 } as const;

/** The index to read a guild's tickets from: that of the filter given which leaves the fewest. The planner may err. */
function indexFor(query: CountTickets, time: 'createdAt' | 'updatedAt'): Record<string, 1 | -1> | undefined {
  if (query.guildId === undefined) return undefined;
  if (query.q !== undefined) return searchIndex;
  const given = selective.find(([filter]) => query[filter] !== undefined);
  return { guildId: 1, ...(given && { [given[1]]: 1 }), [time]: -1, _id: -1 };
}

/** A query with the words of its search; the first of them bounds the index. */
type Search<Query> = Query & { words?: string[] };

/** Those of a guild with all words of a search. */
function foundBy({ guildId = '', q = '', words = wordsOf(q) }: Search<CountTickets>): QueryFilter<TicketRecord> {
  return { guildId, searchWords: trusted({ $all: words }) };
}

function filterOf(key: Principal, query: Search<CountTickets>): QueryFilter<TicketRecord>[] {
  const { guildId, ticketType, status, ticketOwner, claimedBy, channelId, label, priority } = query;
  const { createdAfter, createdBefore, q } = query;
  const exact = { guildId, ticketType, ticketOwner, channelId, priority, labels: label };
  return [
    inGuildsOf(key),
    Object.fromEntries(Object.entries(exact).filter(([, value]) => value !== undefined)),
    status === undefined ? {} : { closed: status === 'closed' },
    claimedBy === undefined ? {} : { claimedBy: claimedBy === 'none' ? null : claimedBy },
    createdAfter ? { createdAt: trusted({ $gt: createdAfter }) } : {},
    createdBefore ? { createdAt: trusted({ $lt: createdBefore }) } : {},
    q === undefined ? {} : foundBy(query),
  ];
}

/** The newest ticket that a search no longer looks at; null where it looks at all that it finds. */
async function floorOf(query: Search<CountTickets>): Promise<Position | null> {
  if (query.q === undefined) return null;
  const floor = await Ticket.findOne(foundBy(query), { createdAt: 1 })
    .sort({ createdAt: -1, _id: -1 })
    .skip(limits.searchMatches)
    .hint(searchIndex)
    .maxTimeMS(timeLimit)
    .lean();
  return floor && [floor.createdAt.getTime(), floor._id];
}

/**
 * The query with its rarest word first, as tickets are looked at by the first until there are enough matches: the word
 * whose 1,001st ticket is the oldest, or that has none. This costs as many keys in a large guild as in a small one.
 */
export async function rarestFirst<Query extends CountTickets>(query: Query): Promise<Search<Query>> {
  const words = query.q === undefined ? [] : wordsOf(query.q);
  if (words.length < 2) return query;
  const reaching = words.map(async (word) => {
    const floor = await floorOf({ ...query, words: [word] });
    return { word, backTo: floor?.[0] ?? Number.MIN_SAFE_INTEGER };
  });
  const ordered = (await Promise.all(reaching)).toSorted((a, b) => a.backTo - b.backTo);
  return { ...query, words: ordered.map(({ word }) => word) };
}

const above = (floor: Position | null) => (floor ? behind(orders.oldest, floor) : {});

/** The database's query of one page. */
export function findPage(key: Principal, query: Search<PageOrder>, limit: number, ...bounds: object[]) {
  const { field, direction } = orders[query.sort];
  const page = Ticket.find({ $and: [...filterOf(key, query), ...bounds] }, shown)
    .sort({ [field]: direction, _id: direction })
    .limit(limit)
    .maxTimeMS(timeLimit);
  const index = indexFor(query, field);
  return index ? page.hint(index) : page;
}

/**
 * One page of tickets by keyset, and the cursor of the next, null at the end. A search keeps its floor in the cursor: all of
 * its pages look at the same tickets. Throws ValidationFailed on a bad cursor.
 */
export async function listTickets(
  key: Principal,
  { limit, cursor, ...query }: ListTickets,
): Promise<{ tickets: ShownTicket[]; nextCursor: string | null; truncated?: boolean }> {
  const order = orders[query.sort];
  const search = await rarestFirst(query);
  const [position, floor] =
    cursor === undefined ? [null, await floorOf(search)] : await readCursor<Bounds>(query, cursor);
  const found = await findPage(key, search, limit + 1, position ? behind(order, position) : {}, above(floor)).lean();
  const tickets = found.slice(0, limit);
  const last = tickets.at(-1);
  const next: Position | null = found.length > limit && last ? [last[order.field].getTime(), last._id] : null;
  return {
    tickets,
    nextCursor: next && (await makeCursor(query, [next, floor])),
    ...(query.q !== undefined && { truncated: floor !== null }),
  };
}

/** How many tickets match, counted up to 10,000; of a search, among those that it looks at. */
export async function countTickets(key: Principal, query: CountTickets): Promise<{ count: number; exact: boolean }> {
  const search = await rarestFirst(query);
  const floor = await floorOf(search);
  const count = await Ticket.countDocuments({ $and: [...filterOf(key, search), above(floor)] })
    .limit(countLimit + 1)
    .maxTimeMS(timeLimit);
  return { count: Math.min(count, countLimit), exact: count <= countLimit && floor === null };
}
