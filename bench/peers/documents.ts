import { createHash, randomInt, randomUUID } from 'node:crypto';
import type { Ticket as ApiTicket, ClaimTicket, CreateTicket } from '@counterfoil/shared/tickets';
import type { KeyRecord } from 'counterfoil/keys/model';
import type { ShownTicket, TicketFields, TicketRecord } from 'counterfoil/tickets/model';
import { searchFields } from 'counterfoil/tickets/search';

/** What a peer does with its database, by the driver or by Mongoose. */
export interface Store {
  findKey(keyId: string): Promise<KeyRecord | null>;
  read(key: KeyRecord, shortId: string): Promise<ApiTicket>;
  create(key: KeyRecord, input: CreateTicket): Promise<{ created: true; ticket: ApiTicket }>;
  claim(
    key: KeyRecord,
    input: ClaimTicket,
  ): Promise<{ claimed: true; changed: boolean; ticket: ApiTicket; claimer: { userId: string; discordId: string } }>;
}

/** How every peer uses its database, as the service does. */
export const databaseOptions = {
  readPreference: 'primary',
  readConcernLevel: 'majority',
  w: 'majority',
  journal: true,
  retryWrites: true,
} as const;

/** Why a request is not answered as asked. */
export class Refusal extends Error {
  readonly status: 401 | 403 | 404 | 409;
  readonly type: string;

  constructor(status: Refusal['status'], type: string) {
    super(type);
    this.status = status;
    this.type = type;
  }
}

/** The status and the body of an answer to what was thrown. */
export function refusalOf(error: unknown): { status: number; body: object } {
  if (!(error instanceof Refusal)) console.error(error);
  const { status, type } = error instanceof Refusal ? error : { status: 500, type: 'internal' };
  return { status, body: { error: { code: status, type, message: type } } };
}

const shortIdAlphabet = '23456789bcdfghjkmnpqrstvwxz';

function makeShortId(): string {
  let shortId = '';
  for (let place = 0; place < 8; place += 1) shortId += shortIdAlphabet[randomInt(shortIdAlphabet.length)];
  return shortId;
}

function hashContent(input: CreateTicket): string {
  const { ticketType, guildId, ticketOwner, ticketShortId, ticketName, ticketData, channelId, actorId } = input;
  const content = [ticketType, guildId, ticketOwner, ticketShortId, ticketName, ticketData, channelId, actorId];
  const normalized = JSON.stringify([...content, input.claimedBy || undefined, input.closed || undefined]);
  return createHash('sha256').update(normalized).digest('base64url');
}

/** The document of a new, unclaimed ticket, as the service stores it. */
export function newTicket(keyId: string, input: CreateTicket, ticketNumber: number): TicketRecord {
  const at = new Date();
  const { ticketType, ticketOwner, guildId, ticketData = null, channelId = null, actorId = null } = input;
  const fields: TicketFields = {
    ticketType,
    ticketName: `${ticketType}-${String(ticketNumber).padStart(4, '0')}`,
    ticketData,
    ticketOwner,
    channelId,
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
  const entry = { seq: 1, type: 'create', at, actorId, keyId, commandId: null, inputHash: null } as const;
  return {
    _id: randomUUID(),
    shortId: makeShortId(),
    guildId,
    ...fields,
    ticketNumber,
    claimerId: null,
    version: 1,
    createdAt: at,
    updatedAt: at,
    contentHash: hashContent(input),
    history: [{ ...entry, before: null, after: fields }],
    historyBytes: 0,
    archivedTo: 0,
    ...searchFields(fields),
    claimIntervals: [],
  };
}

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

/** What no answer needs of a stored ticket. */
export const hidden = { history: 0, claimIntervals: 0, contentHash: 0, words: 0, searchWords: 0 } as const;

/** The part of a filter that keeps a key to its guilds. */
export function inGuildsOf({ guildIds }: KeyRecord) {
  return guildIds === null ? {} : { guildId: { $in: guildIds } };
}

/** Refuses a key that may not write, or not in this guild. */
export function requireWrite({ scope, guildIds }: KeyRecord, guildId?: string): void {
  if (scope === 'read') throw new Refusal(403, 'insufficient_scope');
  if (guildId !== undefined && guildIds && !guildIds.includes(guildId)) throw new Refusal(403, 'guild_not_allowed');
}
