import type { Side } from './sides.ts';
import { frequentIn, searchWords } from './tickets.ts';

/** A kind of call: the same request to all services, but for the ids in it. */
export interface Read {
  name: string;
  /** Pages by keyset are judged; other reads may take longer among more. */
  isPage: boolean;
  path(side: Side, turn: number): string;
  /** Of a command. */
  input?(side: Side, turn: number): object;
}

export const pageSize = 25;

const { guildId, ticketOwner, claimedBy, channelId, ticketType, label } = frequentIn(0);
const { frequent, rarer } = searchWords;
const inGuild = (query: object) => new URLSearchParams({ guildId, ...query }).toString();

/** The lists whose pages are read, by their queries; without others named, of the largest guild, newest first. */
export const lists: [name: string, query: string][] = [
  ['every guild', 'sort=newest'],
  ['guild, newest', inGuild({ sort: 'newest' })],
  ['guild, oldest', inGuild({ sort: 'oldest' })],
  ['guild, updated', inGuild({ sort: 'updated' })],
  ['status=open', inGuild({ status: 'open' })],
  ['status=closed', inGuild({ status: 'closed' })],
  ['ticketType', inGuild({ ticketType })],
  ['ticketOwner', inGuild({ ticketOwner })],
  ['claimedBy', inGuild({ claimedBy })],
  ['claimedBy=none', inGuild({ claimedBy: 'none' })],
  ['channelId', inGuild({ channelId })],
  ['label', inGuild({ label })],
  ['status=open, updated', inGuild({ status: 'open', sort: 'updated' })],
  ['ticketOwner, oldest', inGuild({ ticketOwner, sort: 'oldest' })],
  ['ticketType and status', inGuild({ ticketType, status: 'open' })],
  ['ticketOwner and claimedBy', inGuild({ ticketOwner, claimedBy })],
  ['q: a word', inGuild({ q: frequent })],
  ['q: two words', inGuild({ q: `${frequent} support` })],
];

const pages: Read[] = lists.flatMap(([name, query]) => [
  { name, isPage: true, path: () => `/tickets?${query}` },
  { name: `${name}, at 95 %`, isPage: true, path: ({ cursors }) => `/tickets?${query}&cursor=${cursors.get(query)}` },
]);

function knownOf({ known }: Side, turn: number) {
  const ticket = known[turn % known.length];
  if (!ticket) throw new Error('there are no tickets');
  return ticket;
}

const { guildId: middling } = frequentIn(20);

const newGuild = '700000000000000001';

export const reads: Read[] = [
  {
    name: 'create',
    isPage: false,
    path: () => '/tickets/create',
    input: (_side, turn) => ({
      ticketType: 'support',
      guildId: newGuild,
      ticketOwner: `2${String(turn).padStart(17, '0')}`,
      ticketData: '{"topic":"An order that did not arrive"}',
    }),
  },
  {
    // Of what was created just before.
    name: 'claim',
    isPage: false,
    path: () => '/tickets/claim',
    input: ({ created }) => ({ shortId: created.pop(), discordId: '300000000000000001' }),
  },
  ...pages,
  { name: 'a middling guild', isPage: true, path: () => `/tickets?guildId=${middling}` },
  { name: 'ticket by short id', isPage: false, path: (side, turn) => `/tickets/get/id/${knownOf(side, turn).shortId}` },
  {
    name: 'ticket by name',
    isPage: false,
    path: (side, turn) => {
      const ticket = knownOf(side, turn);
      return `/tickets/get/name/${ticket.ticketName}?guildId=${ticket.guildId}`;
    },
  },
  {
    name: 'whether it is claimed',
    isPage: false,
    path: (side, turn) => `/tickets/is/claimed/${knownOf(side, turn).shortId}`,
  },
  { name: 'history', isPage: false, path: (side, turn) => `/tickets/history/${knownOf(side, turn).shortId}` },
  { name: 'count of a guild', isPage: false, path: () => `/tickets/count?guildId=${guildId}` },
  { name: 'count of status=open', isPage: false, path: () => `/tickets/count?${inGuild({ status: 'open' })}` },
  // Among few tickets these find fewer than the 1,000 matches that a search looks at, among many more.
  { name: 'q: a rarer word', isPage: false, path: () => `/tickets?${inGuild({ q: rarer })}` },
  { name: 'q: frequent and rarer', isPage: false, path: () => `/tickets?${inGuild({ q: `${frequent} ${rarer}` })}` },
];
