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

/** Where a ticket, or an entry of its history, names a person. */
const mentions = (id: string, path = '') =>
  ['ticketOwner', 'claimedBy', 'closedBy', 'participants'].map((field) => ({ [path + field]: id }));
const entryMentions = (id: string, path: string) => [
  { [`${path}actorId`]: id },
  ...mentions(id, `${path}before.`),
  ...mentions(id, `${path}after.`),
];

/** Fields of a ticket with the stand-in for the person; `ofOwner`: without the texts of its owner too. */
function withoutPerson<Fields extends Partial<TicketFields>>(
  fields: Fields,
  { discordId, standIn }: Person,
  ofOwner: boolean,
): Fields {
  const swap = (id: string | null) => (id === discordId ? standIn : id);
  const { ticketOwner, claimedBy, closedBy, participants, rating } = fields;
  return {
    ...fields,
    ...(ticketOwner !== undefined && { ticketOwner: swap(ticketOwner) }),
    ...(claimedBy !== undefined && { claimedBy: swap(claimedBy) }),
    ...(closedBy !== undefined && { closedBy: swap(closedBy) }),
    ...(participants && { participants: participants.map(swap) }),
    ...(ofOwner && fields.ticketData !== undefined && { ticketData: null }),
    ...(ofOwner && rating && { rating: { ...rating, comment: null } }),
  };
}

function entryWithoutPerson(entry: HistoryEntry, person: Person, ofOwner: boolean): HistoryEntry {
  const { before, after, actorId } = entry;
  return {
    ...entry,
    actorId: actorId === person.discordId ? person.standIn : actorId,
    before: before && withoutPerson(before, person, ofOwner),
    after: withoutPerson(after, person, ofOwner),
  };
}

/** The ticket without the person, and with an entry in its history which says that somebody was erased. */
function ticketWithoutPerson(ticket: TicketRecord, person: Person, ofOwner: boolean, keyId: string): TicketRecord {
  const at = new Date(Math.max(Date.now(), ticket.updatedAt.getTime()));
  const seq = ticket.version + 1;
  const changes = { before: {}, after: {} };
  const erasure: HistoryEntry = {
    seq,
    type: 'erase',
    at,
    actorId: null,
    keyId,
    commandId: null,
    inputHash: null,
    ...changes,
  };
  const history = [...ticket.history.map((entry) => entryWithoutPerson(entry, person, ofOwner)), erasure];
  const rest = withoutPerson(ticket, person, ofOwner);
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

/** Whether the ticket is, or once was, the person's own. */
async function isOwn({ _id: ticketId, ticketOwner, history }: TicketRecord, discordId: string): Promise<boolean> {
  const names = ({ before, after }: HistoryEntry) => [before?.ticketOwner, after.ticketOwner].includes(discordId);
  if (ticketOwner === discordId || history.some(names)) return true;
  const archived = ['before', 'after'].map((side) => ({ [`entry.${side}.ticketOwner`]: discordId }));
  return (await ArchivedHistory.exists({ ticketId, $or: archived })) !== null;
}

/** Takes a person out of one ticket and its archived history, however often others change it meanwhile. */
async function eraseFromTicket(ticketId: string, person: Person, keyId: string): Promise<void> {
  const { discordId } = person;
  for (;;) {
    const ticket = await Ticket.findById(ticketId).lean();
    if (!ticket) return;
    const ofOwner = await isOwn(ticket, discordId);
    const archived = await ArchivedHistory.find(
      ofOwner ? { ticketId } : { ticketId, $or: entryMentions(discordId, 'entry.') },
    ).lean();
    for (const { _id, entry } of archived) {
      await ArchivedHistory.updateOne({ _id }, { entry: entryWithoutPerson(entry, person, ofOwner) });
    }
    // The ticket last: as long as it names the person, an erasure that was stopped finds it again.
    // As with every claim: who stands there is known among the users.
    if (ticket.claimedBy === discordId) await findOrCreateUser(person.standIn, { userId: person.standInUserId });
    const erased = ticketWithoutPerson(ticket, person, ofOwner, keyId);
    const { matchedCount } = await Ticket.replaceOne({ _id: ticketId, version: ticket.version }, erased);
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
