import type { ChangeType } from '@counterfoil/shared/history';
import type { Priority } from '@counterfoil/shared/tickets';
import type { TicketFields, TicketRecord } from 'counterfoil/tickets/model';
import { searchFields } from 'counterfoil/tickets/search';
import { mongo } from 'mongoose';

type Random = () => number;

/** Mulberry32: the same numbers from 0 to 1 for the same seed. */
function randomFrom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Draws one of the choices, each as often as its weight says; the weights need not add up to one. */
function choice<Choice>(weights: readonly (readonly [Choice, number])[]): (random: Random) => Choice {
  let sum = 0;
  const upTo = weights.map(([value, weight]) => {
    sum += weight;
    return [value, sum] as const;
  });
  return (random) => {
    const drawn = random() * sum;
    return (upTo.find(([, bound]) => drawn < bound) ?? upTo.at(-1))?.[0] as Choice;
  };
}

function bytes(random: Random, length: number): Buffer {
  const made = Buffer.allocUnsafe(length);
  for (let offset = 0; offset < length; offset += 4) made.writeUInt32LE(random() * 2 ** 32, offset);
  return made;
}

const hash = (random: Random) => bytes(random, 32).toString('base64url');

function uuid(random: Random): string {
  const hex = bytes(random, 16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** The ids of a guild and of its people and channels: 18 digits, different for each kind, guild and number. */
const guildId = (guild: number) => `1${String(guild).padStart(17, '0')}`;
const idIn = (kind: number) => (guild: number, place: number) =>
  `${kind}${String(guild).padStart(5, '0')}${String(place).padStart(12, '0')}`;
const [ownerId, claimerId, channelId] = [idIn(2), idIn(3), idIn(4)];

const shortIdAlphabet = '23456789bcdfghjkmnpqrstvwxz';

/** A short id for each ticket: the multiplier has no divisor in common with 27^8, so no two are equal. */
function shortIdOf(place: number): string {
  let rest = (place * 7_919_027) % 27 ** 8;
  return Array.from({ length: 8 }, () => {
    const letter = shortIdAlphabet[rest % 27];
    rest = Math.floor(rest / 27);
    return letter;
  }).join('');
}

const syllables = ['ba', 'co', 'du', 'fe', 'gi', 'ka', 'lo', 'mu', 'ne', 'pi', 'ra', 'so', 'tu'];
const vocabulary = syllables.flatMap((a) => syllables.flatMap((b) => syllables.map((c) => a + b + c)));
/** Few words are in most texts, most words in few: the frequency falls with the place. */
const wordAt = (part: number) => vocabulary[Math.floor(part ** 3 * vocabulary.length)] ?? '';

const typeOf = choice([
  ['support', 45],
  ['billing', 25],
  ['bug', 15],
  ['report', 10],
  ['appeal', 5],
]);
const priorityOf = choice<Priority>([
  ['normal', 70],
  ['low', 15],
  ['high', 10],
  ['urgent', 5],
]);
const reasons = [
  'Solved: the order was sent again.',
  'No answer for two weeks',
  'A duplicate of another ticket',
  'Refunded, and told by mail',
  'The bug is mended in the next release',
];

/** Guilds of very different size: the largest holds near a third of all tickets, the smallest some hundredth of that. */
const guilds = 60;
const guildOf = choice(Array.from({ length: guilds }, (_, guild) => [guild, (guild + 1) ** -1.2] as const));
const [from, until] = [Date.UTC(2024, 0, 1), Date.UTC(2026, 0, 1)];
const minute = 60_000;

/** What tickets of a guild have in common often enough to be asked for: each about a fifth of them, or more. */
export function frequentIn(guild: number) {
  return {
    guildId: guildId(guild),
    /** A bridge that opens tickets for those who write by mail. */
    ticketOwner: ownerId(guild, 0),
    claimedBy: claimerId(guild, 0),
    /** A desk that serves many tickets in one channel. */
    channelId: channelId(guild, 0),
    ticketType: 'billing',
    label: 'vip',
  };
}

/** Words of the texts: one that is in most tickets, one that is in few. */
export const searchWords = { frequent: vocabulary[0] ?? '', rarer: vocabulary[20] ?? '' };

function change(random: Random, ticket: TicketRecord, type: ChangeType, actorId: string, after: Partial<TicketFields>) {
  const at = new Date(ticket.updatedAt.getTime() + Math.ceil(random() * 600 * minute));
  const before = Object.fromEntries(Object.keys(after).map((field) => [field, ticket[field as keyof TicketFields]]));
  const seq = ticket.version + 1;
  const entry = { seq, type, at, actorId, keyId: 'XS2YfX3r', commandId: uuid(random), inputHash: hash(random) };
  const timed = {
    ...after,
    ...('claimedAt' in after && { claimedAt: at }),
    ...('closedAt' in after && { closedAt: at }),
  };
  ticket.history.push({ ...entry, before, after: timed });
  Object.assign(ticket, timed, { version: seq, updatedAt: at });
  return at;
}

/** What happened to a ticket since it was created. */
function live(random: Random, ticket: TicketRecord, guild: number): void {
  if (random() < 0.7) {
    const staff = random() < 0.4 ? 0 : 1 + Math.floor(random() * 20);
    const claimedBy = claimerId(guild, staff);
    const at = change(random, ticket, 'claim', claimedBy, { claimedBy, claimedAt: null });
    ticket.claimerId = uuid(randomFrom(guild * 1000 + staff));
    ticket.claimIntervals.push({ claimer: claimedBy, from: at, to: null, endReason: null });
  }
  const actor = ticket.claimedBy ?? claimerId(guild, 1);
  const labels = ['vip', 'refund', 'waiting'].filter(() => random() < 0.25);
  const priority = priorityOf(random);
  if (labels.length > 0) change(random, ticket, 'update', actor, { labels, priority });
  if (random() < 0.8) {
    const closeReason = reasons[Math.floor(random() * reasons.length)] ?? null;
    const closing = { closed: true, closedBy: actor, closeReason, closedAt: null };
    const to = change(random, ticket, 'close', actor, closing);
    ticket.claimIntervals = ticket.claimIntervals.map((interval) => ({ ...interval, to, endReason: 'close' }));
  }
}

function dataOf(random: Random): string {
  const words = Array.from({ length: 8 + Math.floor(random() * 24) }, () => wordAt(random()));
  return JSON.stringify({
    topic: words.slice(0, 3).join(' '),
    order: Math.floor(random() * 1e6),
    text: words.join(' '),
  });
}

function newTicket(random: Random, place: number, guild: number, number: number, createdAt: Date) {
  const ticketType = typeOf(random);
  const fields: TicketFields = {
    ticketType,
    ticketName: `${ticketType}-${String(number).padStart(4, '0')}`,
    ticketData: dataOf(random),
    ticketOwner: ownerId(guild, random() < 0.2 ? 0 : 1 + Math.floor(random() ** 2 * 5000)),
    channelId: random() < 0.2 ? channelId(guild, 0) : channelId(guild, number),
    claimedBy: null,
    claimedAt: null,
    closed: false,
    closedBy: null,
    closeReason: null,
    closedAt: null,
    priority: 'normal',
    labels: [],
    participants: [],
    rating: null,
    reopenCount: 0,
  };
  const entry = { seq: 1, type: 'create', at: createdAt, actorId: null, keyId: 'XS2YfX3r' } as const;
  return {
    _id: uuid(random),
    shortId: shortIdOf(place),
    guildId: guildId(guild),
    ...fields,
    ticketNumber: number,
    claimerId: null,
    version: 1,
    createdAt,
    updatedAt: createdAt,
    contentHash: hash(random),
    history: [{ ...entry, commandId: null, inputHash: null, before: null, after: fields }],
    historyBytes: 0,
    archivedTo: 0,
    claimIntervals: [],
    words: { ticketName: [], closeReason: [], ticketData: [] },
    searchWords: [],
  } satisfies TicketRecord;
}

/** Tickets of two years in guilds of very different size, in the order of their creation, as the service stores them. */
export function* ticketsFrom(seed: number, count: number): Generator<TicketRecord> {
  const random = randomFrom(seed);
  const numbers = new Map<number, number>();
  for (let place = 0; place < count; place += 1) {
    const guild = guildOf(random);
    const number = (numbers.get(guild) ?? 0) + 1;
    numbers.set(guild, number);
    const createdAt = new Date(Math.floor(from + ((until - from) * (place + random())) / count));
    const ticket: TicketRecord = newTicket(random, place, guild, number, createdAt);
    live(random, ticket, guild);
    Object.assign(ticket, searchFields(ticket));
    if (ticket.version > 1) ticket.historyBytes = mongo.BSON.calculateObjectSize({ history: ticket.history });
    yield ticket;
  }
}
