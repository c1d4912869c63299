import { isDeepStrictEqual } from 'node:util';
import { mongo, trusted } from 'mongoose';
import type { Principal } from '../keys/authenticate.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { findOrCreateUser } from '../users/model.ts';
import { ArchivedHistory, archiveHistory } from './history.ts';
import { type HistoryEntry, Ticket, type TicketFields, type TicketRecord } from './model.ts';
import { Note } from './notes.ts';
import { searchFields } from './search.ts';

/** Somebody to be erased, and the ids that stand in for theirs. */
export interface Person {
  discordId: string;
  standIn: string;
  standInUserId: string;
}

/** What stands in a note of somebody who was erased. */
const erasedText = '[erased]';

/** Archived entries that are read and written at a time. */
const archiveBatch = 100;

/** Where a ticket, or an entry of its history, names a person. */
const mentions = (id: string, path = '') =>
  ['ticketOwner', 'claimedBy', 'closedBy', 'participants'].map((field) => ({ [path + field]: id }));
const entryMentions = (id: string, path: string) => [
  { [`${path}actorId`]: id },
  ...mentions(id, `${path}before.`),
  ...mentions(id, `${path}after.`),
];

/** Whether the person owns a ticket at some version, and whether they did when its texts were written. */
interface Own {
  ticket: boolean;
  data: boolean;
  comment: boolean;
}
const nothingOwn: Own = { ticket: false, data: false, comment: false };

/** Fields of a ticket with the stand-in for the person, and without the texts that are their own. */
function withoutPerson<Fields extends Partial<TicketFields>>(fields: Fields, person: Person, own: Own): Fields {
  const swap = <Text extends string | null>(text: Text) => text?.replaceAll(person.discordId, person.standIn) ?? null;
  const { rating } = fields;
  const texts = (['ticketOwner', 'claimedBy', 'closedBy', 'ticketName', 'closeReason'] as const)
    .filter((field) => fields[field] !== undefined)
    .map((field) => [field, swap(fields[field] ?? null)]);
  return {
    ...fields,
    ...Object.fromEntries(texts),
    ...(fields.participants && { participants: fields.participants.map(swap) }),
    ...(fields.ticketData !== undefined && { ticketData: own.data ? null : swap(fields.ticketData) }),
    ...(rating && { rating: { ...rating, comment: own.comment ? null : swap(rating.comment) } }),
  };
}

/** An entry of a history without the person, and what is theirs after it, from what was theirs before. */
function entryWithoutPerson(entry: HistoryEntry, person: Person, own: Own): { entry: HistoryEntry; own: Own } {
  const { before, after, actorId } = entry;
  const { ticketOwner } = after;
  const ticket = ticketOwner === undefined ? own.ticket : [person.discordId, person.standIn].includes(ticketOwner);
  const next = {
    ticket,
    data: after.ticketData === undefined ? own.data : ticket,
    comment: after.rating === undefined ? own.comment : ticket,
  };
  const erased = {
    ...entry,
    actorId: actorId === person.discordId ? person.standIn : actorId,
    before: before && withoutPerson(before, person, own),
    after: withoutPerson(after, person, next),
  };
  return { entry: erased, own: next };
}

/** Takes a person out of the archived history of a ticket; answers what is theirs after it. */
async function eraseFromArchive({ _id: ticketId, archivedTo }: TicketRecord, person: Person): Promise<Own> {
  let own = nothingOwn;
  for (let last = 0; last < archivedTo; ) {
    const page = await ArchivedHistory.find({ ticketId, 'entry.seq': trusted({ $gt: last }) })
      .sort({ 'entry.seq': 1 })
      .limit(archiveBatch)
      .lean();
    const changes = page.flatMap(({ _id, entry }) => {
      const erased = entryWithoutPerson(entry, person, own);
      own = erased.own;
      return isDeepStrictEqual(entry, erased.entry)
        ? []
        : [{ updateOne: { filter: { _id }, update: { $set: { entry: erased.entry } } } }];
    });
    if (changes.length > 0) await ArchivedHistory.bulkWrite(changes);
    last = page.at(-1)?.entry.seq ?? archivedTo;
  }
  return own;
}

/** The ticket without the person, and with an entry in its history which says that somebody was erased. */
function ticketWithoutPerson(ticket: TicketRecord, person: Person, ownBefore: Own, keyId: string): TicketRecord {
  let own = ownBefore;
  const history = ticket.history.map((entry) => {
    const erased = entryWithoutPerson(entry, person, own);
    own = erased.own;
    return erased.entry;
  });
  const seq = ticket.version + 1;
  const at = new Date(Math.max(Date.now(), ticket.updatedAt.getTime()));
  const unnamed = { actorId: null, commandId: null, inputHash: null };
  history.push({ seq, type: 'erase', at, keyId, ...unnamed, before: {}, after: {} });
  const rest = withoutPerson(ticket, person, own);
  return {
    ...rest,
    ...searchFields(rest),
    claimerId: ticket.claimedBy === person.discordId ? person.standInUserId : ticket.claimerId,
    claimIntervals: ticket.claimIntervals.map((interval) => ({
      ...interval,
      claimer: interval.claimer === person.discordId ? person.standIn : interval.claimer,
    })),
    history,
    historyBytes: mongo.BSON.calculateObjectSize({ history }),
    version: seq,
    updatedAt: at,
  };
}

/** Takes a person out of one ticket and its archived history, however often others change it meanwhile. */
async function eraseFromTicket(ticketId: string, person: Person, keyId: string): Promise<void> {
  for (;;) {
    const ticket = await Ticket.findById(ticketId).lean();
    if (!ticket) return;
    const own = await eraseFromArchive(ticket, person);
    // As with every claim: who stands there is known among the users.
    if (ticket.claimedBy === person.discordId) await findOrCreateUser(person.standIn, { userId: person.standInUserId });
    const erased = ticketWithoutPerson(ticket, person, own, keyId);
    // The ticket last: as long as it names the person, an erasure that was stopped finds it again.
    const asRead = { _id: ticketId, version: ticket.version, archivedTo: ticket.archivedTo };
    const { matchedCount } = await Ticket.replaceOne(asRead, erased);
    if (matchedCount > 0) return archiveHistory(erased);
  }
}

/**
 * Takes a person out of a range of tickets, by their ids, and out of the notes on them, until `giveUpAt` (as of
 * performance.now()); answers how many named them, and how far it came where it did not come to the end.
 */
export async function erasePerson(
  key: Principal,
  person: Person,
  range: { $gt: string; $lte?: string },
  giveUpAt: number,
): Promise<{ tickets: number; notes: number; stoppedAt: string | null }> {
  const { discordId, standIn } = person;
  const visible = inGuildsOf(key);
  const ofRange = { ...visible, ticketId: trusted({ ...range }) };
  const inTicket = [
    ...mentions(discordId),
    { 'claimIntervals.claimer': discordId },
    { searchWords: discordId },
    ...entryMentions(discordId, 'history.'),
  ];
  const [naming, archived] = await Promise.all([
    Ticket.find({ ...visible, _id: trusted({ ...range }), $or: inTicket }, { _id: 1 }).lean(),
    ArchivedHistory.distinct('ticketId', { ...ofRange, $or: entryMentions(discordId, 'entry.') }),
  ]);
  const ticketIds = new Set([...naming.map(({ _id }) => _id), ...archived]);
  let tickets = 0;
  let stoppedAt: string | null = null;
  for (const id of [...ticketIds].toSorted()) {
    await eraseFromTicket(id, person, key.keyId);
    tickets += 1;
    if (performance.now() > giveUpAt) {
      stoppedAt = id;
      break;
    }
  }
  const until = { ...ofRange, ticketId: trusted({ ...range, ...(stoppedAt !== null && { $lte: stoppedAt }) }) };
  const notes = await Note.updateMany({ ...until, authorId: discordId }, { authorId: standIn, text: erasedText });
  return { tickets, notes: notes.modifiedCount, stoppedAt };
}
