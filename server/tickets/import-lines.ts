import { createHash } from 'node:crypto';
import type { TicketLine } from '@counterfoil/shared/transfer';
import { mongo, trusted } from 'mongoose';
import { duplicateField } from '../database/unique.ts';
import { UserExists } from '../errors.ts';
import { insertEach, type Outcome } from '../transfer/lines.ts';
import { findOrCreateUser, User } from '../users/model.ts';
import { makeShortId, nameOf } from './create.ts';
import { ArchivedHistory, copyToArchive, cutOf } from './history.ts';
import { type ClaimInterval, type HistoryEntry, Ticket, type TicketFields, type TicketRecord } from './model.ts';
import { Note, type NoteRecord } from './notes.ts';
import { raiseTicketNumber, takeTicketNumber } from './numbers.ts';
import { searchFields } from './search.ts';

/** The key in what the import has made itself, in place of one of the service. */
const importKey = 'import';

/** SHA-256 of what a line says, however it is written: its order of fields, its spaces, what is null. */
function hashLine(line: TicketLine): Buffer {
  const content = Object.fromEntries(Object.entries(line).filter(([, value]) => value != null));
  return createHash('sha256').update(JSON.stringify(content)).digest();
}

/** The id of a line that names none, in the form of a UUIDv4: the same line again is the same ticket. */
function idFrom(hash: Buffer): string {
  const bytes = Buffer.from(hash.subarray(0, 16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A line on its way into the database, and what was made for it because it did not say. */
interface Arrival {
  line: TicketLine;
  ticketId: string;
  contentHash: string;
}

/** Writes the tickets that are not there, with all that belongs to them; a ticket that is there is left alone. */
export async function importTickets(lines: TicketLine[]): Promise<Outcome[]> {
  const arrivals = lines.map((line): Arrival => {
    const hash = hashLine(line);
    const contentHash = line.contentHash ?? hash.toString('base64url');
    return { line, ticketId: line.ticketId ?? idFrom(hash), contentHash };
  });
  const taken = new Set<string>();
  const [firsts, repeats]: [Arrival[], Arrival[]] = [[], []];
  for (const arrival of arrivals) {
    const ids = [arrival.ticketId, ...noteIdsOf(arrival)];
    (ids.some((id) => taken.has(id)) ? repeats : firsts).push(arrival);
    for (const id of ids) taken.add(id);
  }
  const outcomes = await write(firsts);
  for (const repeat of repeats) for (const [arrival, outcome] of await write([repeat])) outcomes.set(arrival, outcome);
  return arrivals.map((arrival) => outcomes.get(arrival) ?? 'present');
}

async function write(arrivals: Arrival[]): Promise<Map<Arrival, Outcome>> {
  const ids = arrivals.map(({ ticketId }) => ticketId);
  const known = await Ticket.find({ _id: trusted({ $in: ids }) }, { contentHash: 1 }).lean();
  const present = new Map(known.map(({ _id, contentHash }) => [_id, contentHash]));
  const foreign = await foreignNotes(arrivals);
  const outcomes = new Map<Arrival, Outcome>();
  for (const arrival of arrivals) {
    const there = present.get(arrival.ticketId);
    if (there === arrival.contentHash) outcomes.set(arrival, 'present');
    else if (there !== undefined) outcomes.set(arrival, { problem: 'ticketId: a ticket with other content has it' });
    else if (foreign.has(arrival)) outcomes.set(arrival, { problem: 'notes: a noteId is taken by another ticket' });
  }
  const coming = arrivals.filter((arrival) => !outcomes.has(arrival));
  await raiseNumbers(coming);
  const claimerIds = await idsOfClaimers(coming);
  let tickets: TicketRecord[] = [];
  for (const { line, ...arrival } of coming) tickets.push(await recordOf(line, arrival, claimerIds));
  // The ticket comes last: where it is, all of it is.
  await copyParts(coming, tickets);
  tickets = tickets.map(withoutArchived);
  const refusals = await insertEach(Ticket, tickets);
  for (const [place, arrival] of coming.entries()) {
    const [ticket, refusal] = [tickets[place], refusals[place]];
    outcomes.set(arrival, ticket && refusal ? await settle(arrival.line, ticket, refusal) : 'imported');
  }
  return outcomes;
}

const noteIdsOf = ({ line }: Arrival) => (line.notes ?? []).flatMap(({ noteId }) => noteId ?? []);

/** The arrivals with a note that stands in another ticket. */
async function foreignNotes(arrivals: Arrival[]): Promise<Set<Arrival>> {
  const ids = arrivals.flatMap(noteIdsOf);
  if (ids.length === 0) return new Set();
  const known = await Note.find({ _id: trusted({ $in: ids }) }, { ticketId: 1 }).lean();
  const ticketOf = new Map(known.map(({ _id, ticketId }) => [_id, ticketId]));
  return new Set(
    arrivals.filter(({ line, ticketId }) =>
      line.notes?.some(({ noteId }) => noteId && ticketOf.has(noteId) && ticketOf.get(noteId) !== ticketId),
    ),
  );
}

/** Before the tickets go in, so that no create can take one of their numbers meanwhile. */
async function raiseNumbers(arrivals: Arrival[]): Promise<void> {
  const highest = new Map<string, number>();
  for (const { line } of arrivals) {
    if (line.ticketNumber) highest.set(line.guildId, Math.max(highest.get(line.guildId) ?? 0, line.ticketNumber));
  }
  for (const [guildId, number] of highest) await raiseTicketNumber(guildId, number);
}

/** The database UUIDs of the claimers, made known where they are not. */
async function idsOfClaimers(arrivals: Arrival[]): Promise<Map<string, string>> {
  const claimers = new Set(arrivals.flatMap(({ line }) => line.claimedBy || []));
  const known = await User.find({ discordId: trusted({ $in: [...claimers] }) }).lean();
  const ids = new Map(known.map(({ _id, discordId }) => [discordId, _id]));
  for (const { line } of arrivals) {
    const { claimedBy, claimerId } = line;
    if (claimedBy && !ids.has(claimedBy)) ids.set(claimedBy, await makeKnown(claimedBy, claimerId ?? undefined));
  }
  return ids;
}

/** The database UUID of a claimer who is not known: the one that is wanted, unless it is another person's. */
async function makeKnown(discordId: string, userId: string | undefined): Promise<string> {
  const made = findOrCreateUser(discordId, { userId }).catch((error: unknown) => {
    if (error instanceof UserExists) return findOrCreateUser(discordId);
    throw error;
  });
  return (await made).user._id;
}

/** The ticket of a line, its whole history still in it; what the line does not say follows from what it says. */
async function recordOf(
  line: TicketLine,
  { ticketId, contentHash }: Omit<Arrival, 'line'>,
  claimerIds: Map<string, string>,
): Promise<TicketRecord> {
  const closed = line.closed ?? line.status === 'closed';
  const claimedBy = line.claimedBy || null;
  const known = [line.createdAt, line.claimedAt, line.closedAt, line.updatedAt].filter((time) => time != null);
  const createdAt = line.createdAt ?? (known.length > 0 ? new Date(Math.min(...known.map(Number))) : new Date());
  const claimedAt = claimedBy ? (line.claimedAt ?? createdAt) : null;
  const updatedAt = line.updatedAt ?? new Date(Math.max(...[createdAt, ...known].map(Number)));
  const unnamed = line.ticketName == null && line.ticketNumber == null;
  const ticketNumber = unnamed ? await takeTicketNumber(line.guildId) : (line.ticketNumber ?? null);
  const fields: TicketFields = {
    ticketType: line.ticketType,
    ticketName: line.ticketName ?? nameOf(line.ticketType, ticketNumber),
    ticketData: line.ticketData ?? null,
    ticketOwner: line.ticketOwner,
    channelId: line.channelId ?? null,
    claimedBy,
    claimedAt,
    closed,
    closedBy: line.closedBy ?? null,
    closeReason: line.closeReason ?? null,
    closedAt: closed ? (line.closedAt ?? updatedAt) : null,
    priority: line.priority ?? 'normal',
    labels: line.labels ?? [],
    participants: line.participants ?? [],
    rating: line.rating ?? null,
    reopenCount: line.reopenCount ?? 0,
  };
  return {
    _id: ticketId,
    shortId: line.ticketShortId ?? makeShortId(),
    ticketNumber,
    guildId: line.guildId,
    ...fields,
    claimerId: claimedBy === null ? null : (claimerIds.get(claimedBy) ?? null),
    version: line.version ?? 1,
    createdAt,
    updatedAt,
    contentHash,
    history: storedHistory(line) ?? [madeEntry(createdAt, fields)],
    historyBytes: 0,
    archivedTo: 0,
    claimIntervals: line.claimIntervals ?? madeIntervals(fields),
    ...searchFields(fields),
  };
}

/** A line's history as it is stored; the cast holds because `exactOptionalPropertyTypes` alone tells the two apart. */
function storedHistory(line: TicketLine): HistoryEntry[] | null {
  return (line.history as HistoryEntry[] | null | undefined) ?? null;
}

/** The one entry of a ticket whose past is not told. */
function madeEntry(at: Date, after: TicketFields): HistoryEntry {
  const unknown = { actorId: null, commandId: null, inputHash: null, before: null };
  return { seq: 1, type: 'create', at, keyId: importKey, ...unknown, after };
}

function madeIntervals({ claimedBy, claimedAt, closed, closedAt }: TicketFields): ClaimInterval[] {
  if (claimedBy === null || claimedAt === null) return [];
  return [{ claimer: claimedBy, from: claimedAt, to: closedAt, endReason: closed ? 'close' : null }];
}

function withoutArchived(ticket: TicketRecord): TicketRecord {
  const archivedTo = cutOf(ticket);
  const history = ticket.history.filter(({ seq }) => seq > archivedTo);
  return { ...ticket, history, archivedTo, historyBytes: mongo.BSON.calculateObjectSize({ history }) };
}

/** Copies what is kept outside of the tickets, in place of what an import that was broken off has left there. */
async function copyParts(arrivals: Arrival[], tickets: TicketRecord[]): Promise<void> {
  const ofArrivals = { ticketId: trusted({ $in: arrivals.map(({ ticketId }) => ticketId) }) };
  await Promise.all([Note.deleteMany(ofArrivals), ArchivedHistory.deleteMany(ofArrivals)]);
  const notes: NoteRecord[] = [];
  for (const [place, { line, ticketId }] of arrivals.entries()) {
    const ticket = tickets[place];
    const cut = ticket ? cutOf(ticket) : 0;
    const { guildId } = line;
    if (ticket && cut > 0) {
      await copyToArchive(
        { ticketId, guildId },
        ticket.history.filter(({ seq }) => seq <= cut),
      );
    }
    for (const [index, { noteId, authorId, text, keyId, createdAt }] of (line.notes ?? []).entries()) {
      const _id = noteId ?? idFrom(createHash('sha256').update(`${ticketId}:${index}`).digest());
      notes.push({ _id, ticketId, guildId, authorId, text, keyId: keyId ?? importKey, createdAt });
    }
  }
  await insertEach(Note, notes);
}

/** What becomes of a ticket that a unique index has refused: what was made for it is made again, else it is taken back. */
async function settle(line: TicketLine, ticket: TicketRecord, refusal: mongo.MongoServerError): Promise<Outcome> {
  for (let error: mongo.MongoServerError | null | undefined = refusal; error; ) {
    const field = duplicateField(error);
    if (field === '_id') return 'present';
    if (field === 'shortId' && line.ticketShortId == null) {
      ticket.shortId = makeShortId();
    } else if (field === 'ticketName' && line.ticketName == null && line.ticketNumber == null) {
      rename(ticket, await takeTicketNumber(ticket.guildId));
    } else {
      await ArchivedHistory.deleteMany({ ticketId: ticket._id });
      await Note.deleteMany({ ticketId: ticket._id });
      return {
        problem:
          field === 'shortId'
            ? 'ticketShortId: another ticket has it'
            : `ticketName: another open ticket of the guild is called ${JSON.stringify(ticket.ticketName)}`,
      };
    }
    [error] = await insertEach(Ticket, [ticket]);
  }
  return 'imported';
}

/** Gives a ticket without a name of its own another number; its one entry says what it was made with. */
function rename(ticket: TicketRecord, ticketNumber: number): void {
  const ticketName = nameOf(ticket.ticketType, ticketNumber);
  const history = ticket.history.map((entry) => ({ ...entry, after: { ...entry.after, ticketName } }));
  Object.assign(ticket, { ticketNumber, ticketName, history }, searchFields({ ...ticket, ticketName }));
}
