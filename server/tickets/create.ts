import { createHash, randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CreateTicket } from '@counterfoil/shared/tickets';
import type { Context } from '../context.ts';
import { duplicateField, isDuplicate } from '../database/unique.ts';
import { NameTaken, OutcomeUnknown, ShortIdTaken, TicketIdTaken } from '../errors.ts';
import { knownUserId } from '../users/model.ts';
import { confirmationTries, confirmationWait } from './lifecycle.ts';
import { insertTicket, type ShownTicket, Ticket, type TicketFields, type TicketRecord } from './model.ts';
import { takeTicketNumber } from './numbers.ts';
import { searchFields } from './search.ts';

/** No vowels and no look-alikes: nothing to misread, and no words. */
const shortIdAlphabet = '23456789bcdfghjkmnpqrstvwxz';

function makeShortId(): string {
  return Array.from({ length: 8 }, () => shortIdAlphabet[randomInt(shortIdAlphabet.length)]).join('');
}

/**
 * SHA-256 of what the caller asked for, normalized: `""`, null and false equal absent.
 * `commandId` is left out: it is `ticketId` that makes a create repeatable.
 */
function hashContent(input: CreateTicket): string {
  const { ticketType, guildId, ticketOwner, ticketShortId, ticketName, ticketData, channelId, actorId } = input;
  const { claimedBy, closed } = input;
  const content = [ticketType, guildId, ticketOwner, ticketShortId, ticketName, ticketData, channelId, actorId];
  const normalized = JSON.stringify([...content, claimedBy || undefined, closed || undefined]);
  return createHash('sha256').update(normalized).digest('base64url');
}

function newTicket(
  { key }: Context,
  input: CreateTicket,
  made: { contentHash: string; claimerId: string | null; ticketNumber: number | null },
): TicketRecord {
  const at = new Date();
  const { ticketType, claimedBy, closed = false, actorId = null, commandId = null } = input;
  const fields: TicketFields = {
    ticketType,
    ticketName: input.ticketName ?? `${ticketType}-${String(made.ticketNumber).padStart(4, '0')}`,
    ticketData: input.ticketData ?? null,
    ticketOwner: input.ticketOwner,
    channelId: input.channelId ?? null,
    claimedBy: claimedBy || null,
    claimedAt: claimedBy ? at : null,
    closed,
    closedBy: null,
    closeReason: null,
    closedAt: closed ? at : null,
    priority: 'normal',
    labels: [],
    participants: [],
    rating: null,
    reopenCount: 0,
  };
  const entry = { seq: 1, at, actorId, keyId: key.keyId, commandId, inputHash: null, before: null, after: fields };
  return {
    _id: input.ticketId ?? randomUUID(),
    shortId: input.ticketShortId ?? makeShortId(),
    guildId: input.guildId,
    ...fields,
    ...made,
    version: 1,
    createdAt: at,
    updatedAt: at,
    history: [{ type: 'create', ...entry }],
    historyBytes: 0,
    archivedTo: 0,
    ...searchFields(fields),
    claimIntervals: claimedBy && !closed ? [{ claimer: claimedBy, from: at, to: null, endReason: null }] : [],
  };
}

/** The ticket that an earlier create with this id made, or null; throws TicketIdTaken where its content differs. */
async function findEarlier(ticketId: string, contentHash: string): Promise<ShownTicket | null> {
  const earlier = await Ticket.findById(ticketId, { history: 0 }).lean();
  if (earlier && earlier.contentHash !== contentHash) throw new TicketIdTaken(ticketId);
  return earlier;
}

/**
 * Creates a ticket, or finds the one that the same create has made before.
 * Throws TicketIdTaken, ShortIdTaken, NameTaken, or OutcomeUnknown where an earlier create is never confirmed.
 */
export async function createTicket(
  ctx: Context,
  input: CreateTicket,
): Promise<{ created: boolean; ticket: ShownTicket }> {
  const contentHash = hashContent(input);
  const claimerId = input.claimedBy ? await knownUserId(input.claimedBy) : null;
  let ticketNumber: number | null = null;
  for (let unconfirmed = 0; unconfirmed < confirmationTries; ) {
    if (input.ticketName === undefined) ticketNumber ??= await takeTicketNumber(input.guildId);
    const ticket = newTicket(ctx, input, { contentHash, claimerId, ticketNumber });
    try {
      await insertTicket(ticket);
      return { created: true, ticket };
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const earlier = input.ticketId === undefined ? null : await findEarlier(input.ticketId, contentHash);
      if (earlier) return { created: false, ticket: earlier };
      const field = duplicateField(error);
      if (field === 'shortId' && input.ticketShortId !== undefined) throw new ShortIdTaken(input.ticketShortId);
      if (field === 'ticketName' && input.ticketName !== undefined) throw new NameTaken();
      // A name by hand stands where the number would go: take the next one.
      if (field === 'ticketName') ticketNumber = null;
      if (field === '_id') {
        await sleep(confirmationWait(unconfirmed));
        unconfirmed += 1;
      }
    }
  }
  throw new OutcomeUnknown();
}
