import { isDeepStrictEqual } from 'node:util';
import type { HistoryEntry as ApiEntry, ClaimInterval as ApiInterval } from '@counterfoil/shared/history';
import { model, mongo, Schema, trusted } from 'mongoose';
import { inTransaction } from '../database/transaction.ts';
import {
  type ClaimInterval,
  type HistoryEntry,
  historyEntry,
  Ticket,
  type TicketFields,
  type TicketRecord,
} from './model.ts';

/** What stays in the ticket, at most: entries, and bytes of them. */
const kept = { entries: 50, bytes: 1024 * 1024 };

interface ArchivedEntry {
  /** `<ticketId>:<seq>`: copying an entry twice makes one document. */
  _id: string;
  ticketId: string;
  guildId: string;
  entry: HistoryEntry;
}

const schema = new Schema<ArchivedEntry>(
  {
    _id: { type: String, required: true },
    ticketId: { type: String, required: true },
    guildId: { type: String, required: true },
    entry: { type: historyEntry, required: true },
  },
  { collection: 'ticketHistory', versionKey: false, strict: 'throw', minimize: false },
);
schema.index({ ticketId: 1, 'entry.seq': 1 });
schema.index({ ticketId: 1, 'entry.commandId': 1 });
schema.index({ guildId: 1 });
export const ArchivedHistory = model<ArchivedEntry>('ArchivedHistory', schema);

/** The version up to which entries have to move, so that the newest ones fit into the ticket. */
export function cutOf({ history }: Pick<TicketRecord, 'history'>): number {
  let bytes = 0;
  const newest = history.toReversed();
  const last = newest.findIndex((entry, place) => {
    bytes += mongo.BSON.calculateObjectSize(entry);
    return place >= kept.entries || bytes > kept.bytes;
  });
  return last === -1 ? 0 : (newest[last]?.seq ?? 0);
}

/** Copies entries of a ticket into documents of their own; those that are there stay as they are. */
export async function copyToArchive(
  { ticketId, guildId }: { ticketId: string; guildId: string },
  entries: HistoryEntry[],
  session?: mongo.ClientSession,
): Promise<void> {
  await ArchivedHistory.bulkWrite(
    entries.map((entry) => {
      const _id = `${ticketId}:${entry.seq}`;
      return { updateOne: { filter: { _id }, update: { $setOnInsert: { ticketId, guildId, entry } }, upsert: true } };
    }),
    { ...(session && { session }) },
  );
}

/**
 * Moves the entries that no longer fit into documents of their own, all at once: whoever dies leaves them where they were, for
 * the next command on the ticket, and an erasure or a deletion never meets a copy that it has not seen.
 */
export async function archiveHistory({
  _id: ticketId,
  version,
  archivedTo,
  historyBytes,
}: Pick<TicketRecord, '_id' | 'version' | 'archivedTo' | 'historyBytes'>): Promise<void> {
  if (version - archivedTo <= kept.entries && historyBytes <= kept.bytes) return;
  await inTransaction(async (session) => {
    const ticket = await Ticket.findById(ticketId, { guildId: 1, history: 1 }).session(session).lean();
    const cut = ticket ? cutOf(ticket) : 0;
    if (!ticket || cut === 0) return;
    const moving = ticket.history.filter(({ seq }) => seq <= cut);
    const history = ticket.history.filter(({ seq }) => seq > cut);
    await copyToArchive({ ticketId, guildId: ticket.guildId }, moving, session);
    const trimmed = { history, archivedTo: cut, historyBytes: mongo.BSON.calculateObjectSize({ history }) };
    await Ticket.updateOne({ _id: ticketId }, trimmed, { session });
  });
}

/** The entry of a command, in the ticket or in the archive. */
export async function findEntry(ticket: TicketRecord, commandId: string): Promise<HistoryEntry | null> {
  const entry = ticket.history.find((candidate) => candidate.commandId === commandId);
  if (entry || ticket.archivedTo === 0) return entry ?? null;
  const archived = await ArchivedHistory.findOne({ ticketId: ticket._id, 'entry.commandId': commandId }).lean();
  return archived?.entry ?? null;
}

/** A page of a ticket's history, oldest first, from the archive and the ticket: the entries after version `after`. */
export async function readHistory(ticket: TicketRecord, after: number, limit: number): Promise<HistoryEntry[]> {
  const inArchive = { ticketId: ticket._id, 'entry.seq': trusted({ $gt: after, $lte: ticket.archivedTo }) };
  const archived =
    after < ticket.archivedTo ? await ArchivedHistory.find(inArchive).sort({ 'entry.seq': 1 }).limit(limit).lean() : [];
  const inTicket = ticket.history.filter(({ seq }) => seq > Math.max(after, ticket.archivedTo));
  return [...archived.map(({ entry }) => entry), ...inTicket].slice(0, limit);
}

/** Stored fields as the ticket of every route has them; those that follow from others go along. */
function fieldsToApi(fields: Partial<TicketFields>): Record<string, unknown> {
  const plain = JSON.parse(JSON.stringify(fields));
  return {
    ...plain,
    ...('claimedBy' in fields && { claimed: fields.claimedBy !== null }),
    ...('closed' in fields && { status: fields.closed ? 'closed' : 'open' }),
  };
}

/** An entry as `tickets.history` returns it: what did not change is left out. */
export function entryToApi({ seq, type, at, actorId, keyId, commandId, before, after }: HistoryEntry): ApiEntry {
  const [was, is] = [before && fieldsToApi(before), fieldsToApi(after)];
  const changed = Object.keys(is).filter((field) => !was || !isDeepStrictEqual(was[field], is[field]));
  const pick = (fields: Record<string, unknown>) => Object.fromEntries(changed.map((field) => [field, fields[field]]));
  return { seq, type, at: at.toISOString(), actorId, keyId, commandId, before: was && pick(was), after: pick(is) };
}

/** A claim interval as `tickets.history` returns it. */
export function intervalToApi({ claimer, from, to, endReason }: ClaimInterval): ApiInterval {
  return { claimer, from: from.toISOString(), to: to?.toISOString() ?? null, endReason };
}
