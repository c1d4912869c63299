import type { ChangeType } from '@counterfoil/shared/history';
import type { Ticket as ApiTicket, Priority } from '@counterfoil/shared/tickets';
import { model, type mongo, Schema } from 'mongoose';
import { coalesce } from '../database/coalesce.ts';
import { rawCollection } from '../database/raw.ts';
import { refusalsOf } from '../database/unique.ts';
import type { Words } from './search.ts';

/** The fields of a ticket that commands change, as they are stored. */
export interface TicketFields {
  ticketType: string;
  ticketName: string;
  ticketData: string | null;
  ticketOwner: string;
  channelId: string | null;
  claimedBy: string | null;
  claimedAt: Date | null;
  closed: boolean;
  closedBy: string | null;
  closeReason: string | null;
  closedAt: Date | null;
  priority: Priority;
  labels: string[];
  participants: string[];
  rating: { rating: number; comment: string | null; at: Date } | null;
  reopenCount: number;
}

/** A stretch of time in which one person had claimed a ticket that was open. */
export interface ClaimInterval {
  claimer: string;
  from: Date;
  to: Date | null;
  endReason: ChangeType | null;
}

/** One change of a ticket, written in the same update as the change itself. */
export interface HistoryEntry {
  /** The version that the change made. */
  seq: number;
  type: ChangeType;
  at: Date;
  actorId: string | null;
  keyId: string;
  commandId: string | null;
  /** SHA-256 of the command's input: a repeated `commandId` must come with the same one. */
  inputHash: string | null;
  /** The fields that changed; null for create. */
  before: Partial<TicketFields> | null;
  after: Partial<TicketFields>;
}

/** A ticket as it is stored. */
export interface TicketRecord extends TicketFields {
  _id: string;
  shortId: string;
  ticketNumber: number | null;
  guildId: string;
  /** The claimer's database UUID: a pair of ids never changes, so it is kept beside `claimedBy`. */
  claimerId: string | null;
  version: number;
  createdAt: Date;
  updatedAt: Date;
  /** SHA-256 of the normalized input of create: a repeated `ticketId` must come with the same one. */
  contentHash: string;
  /** The newest entries; those up to the version `archivedTo` are documents of their own. */
  history: HistoryEntry[];
  historyBytes: number;
  archivedTo: number;
  claimIntervals: ClaimInterval[];
  /** What a search finds the ticket by: the words of each searched field, and all of them together. */
  words: Words;
  searchWords: string[];
}

const mixed = { type: Schema.Types.Mixed, default: null };
export const historyEntry = new Schema<HistoryEntry>(
  {
    seq: { type: Number, required: true },
    type: { type: String, required: true },
    at: { type: Date, required: true },
    actorId: { type: String, default: null },
    keyId: { type: String, required: true },
    commandId: { type: String, default: null },
    inputHash: { type: String, default: null },
    before: mixed,
    after: mixed,
  },
  { _id: false, minimize: false },
);

const claimInterval = new Schema<ClaimInterval>(
  {
    claimer: { type: String, required: true },
    from: { type: Date, required: true },
    to: { type: Date, default: null },
    endReason: { type: String, default: null },
  },
  { _id: false },
);

const schema = new Schema<TicketRecord>(
  {
    _id: { type: String, required: true },
    shortId: { type: String, required: true },
    ticketNumber: { type: Number, default: null },
    ticketType: { type: String, required: true },
    ticketName: { type: String, required: true },
    ticketData: { type: String, default: null },
    guildId: { type: String, required: true },
    ticketOwner: { type: String, required: true },
    channelId: { type: String, default: null },
    claimedBy: { type: String, default: null },
    claimerId: { type: String, default: null },
    claimedAt: { type: Date, default: null },
    closed: { type: Boolean, required: true },
    closedBy: { type: String, default: null },
    closeReason: { type: String, default: null },
    closedAt: { type: Date, default: null },
    priority: { type: String, required: true },
    labels: { type: [String], required: true },
    participants: { type: [String], required: true },
    rating: mixed,
    reopenCount: { type: Number, required: true },
    version: { type: Number, required: true },
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
    contentHash: { type: String, required: true },
    history: { type: [historyEntry], required: true },
    historyBytes: { type: Number, required: true },
    archivedTo: { type: Number, required: true },
    claimIntervals: { type: [claimInterval], required: true },
    words: { type: Schema.Types.Mixed, required: true },
    searchWords: { type: [String], required: true },
  },
  { collection: 'tickets', versionKey: false, strict: 'throw', minimize: false },
);
schema.index({ shortId: 1 }, { unique: true });
schema.index({ guildId: 1, ticketName: 1 }, { unique: true, partialFilterExpression: { closed: false } });
schema.index({ ticketName: 1, closed: 1, guildId: 1, createdAt: -1, _id: -1 });

// Lists: a guild's tickets, or those with one of these fields, by creation or by change; one key a result.
for (const time of ['createdAt', 'updatedAt'] as const) {
  schema.index({ [time]: -1, _id: -1 });
  schema.index({ guildId: 1, [time]: -1, _id: -1 });
  for (const field of ['closed', 'ticketType', 'ticketOwner', 'claimedBy', 'channelId', 'labels'] as const) {
    schema.index({ guildId: 1, [field]: 1, [time]: -1, _id: -1 });
  }
}
schema.index({ guildId: 1, searchWords: 1, createdAt: -1, _id: -1 });
// Limits and cooldowns of a ticket type.
schema.index({ guildId: 1, ticketOwner: 1, ticketType: 1, closed: 1, createdAt: -1 });

export const Ticket = model<TicketRecord>('Ticket', schema);

/** Inserts tickets that came up together; the outcome of each, in their order: null, or why it was refused. */
const insertTogether = coalesce(async (tickets: readonly TicketRecord[]): Promise<(null | Error)[]> => {
  const [only] = tickets;
  if (only && tickets.length === 1) {
    await rawCollection(Ticket).insertOne(only);
    return [null];
  }
  try {
    await rawCollection(Ticket).insertMany([...tickets], { ordered: false });
    return tickets.map(() => null);
  } catch (error) {
    return refusalsOf(error, tickets.length);
  }
});

/** Inserts a ticket as it is, without building a Mongoose document of it; throws what a unique index throws. */
export async function insertTicket(ticket: TicketRecord, session?: mongo.ClientSession): Promise<void> {
  if (session) await rawCollection(Ticket).insertOne(ticket, { session });
  else await insertTogether(ticket);
}

/** What `toApi` needs: a ticket without what only its history and the search look at. */
export type ShownTicket = Omit<TicketRecord, keyof typeof shown>;
export const shown = { history: 0, claimIntervals: 0, contentHash: 0, words: 0, searchWords: 0 } as const;

const iso = (date: Date | null) => date?.toISOString() ?? null;

/** The ticket as every route returns it. */
export function toApi(ticket: ShownTicket): ApiTicket {
  return {
    ticketId: ticket._id,
    ticketShortId: ticket.shortId,
    ticketNumber: ticket.ticketNumber,
    ticketType: ticket.ticketType,
    ticketName: ticket.ticketName,
    ticketData: ticket.ticketData,
    guildId: ticket.guildId,
    ticketOwner: ticket.ticketOwner,
    channelId: ticket.channelId,
    status: ticket.closed ? 'closed' : 'open',
    claimed: ticket.claimedBy !== null,
    claimedBy: ticket.claimedBy,
    claimedAt: iso(ticket.claimedAt),
    closed: ticket.closed,
    closedBy: ticket.closedBy,
    closeReason: ticket.closeReason,
    closedAt: iso(ticket.closedAt),
    priority: ticket.priority,
    labels: ticket.labels,
    participants: ticket.participants,
    rating: ticket.rating && { ...ticket.rating, at: ticket.rating.at.toISOString() },
    reopenCount: ticket.reopenCount,
    version: ticket.version,
    createdAt: ticket.createdAt.toISOString(),
    updatedAt: ticket.updatedAt.toISOString(),
  };
}
