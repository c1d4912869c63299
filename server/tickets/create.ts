import { hash, randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CreateTicket } from '@counterfoil/shared/tickets';
import { findBlock } from '../blocks/model.ts';
import type { Context } from '../context.ts';
import { duplicateField, isDuplicate } from '../database/unique.ts';
import { NameTaken, OutcomeUnknown, OwnerBlocked, ShortIdTaken, TicketIdTaken } from '../errors.ts';
import { knownUserId } from '../users/model.ts';
import { confirmationTries, confirmationWait } from './lifecycle.ts';
import { checkCreate, inTurn, settingsOf } from './limits.ts';
import { insertTicket, type ShownTicket, Ticket, type TicketFields, type TicketRecord } from './model.ts';
import { takeTicketNumber } from './numbers.ts';
import { searchFields } from './search.ts';

/** No vowels and no look-alikes: nothing to misread, and no words. */
const shortIdAlphabet = '23456789bcdfghjkmnpqrstvwxz';

/** A new short id: 8 characters. */
export function makeShortId(): string {
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
  return hash('sha256', normalized, 'base64url');
}

/** The name of a ticket whose caller gave none. */
export function nameOf(ticketType: string, ticketNumber: number | null): string {
  return `${ticketType}-${String(ticketNumber).padStart(4, '0')}`;
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
    ticketName: input.ticketName ?? nameOf(ticketType, made.ticketNumber),
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

/** Whether a ticket has this id, confirmed by a majority or not yet: then a create of it is a repeated one. */
async function isThere(ticketId: string): Promise<boolean> {
  return (await Ticket.exists({ _id: ticketId }).readConcern('local')) !== null;
}

/** Inserts a ticket; where its type is limited, together with the check that the limits hold with it. */
async function insertWithin(limited: boolean, ticket: TicketRecord): Promise<void> {
  if (!limited) return insertTicket(ticket);
  await inTurn(ticket, async (session) => {
    // A repeated create meets its own ticket, before a limit can refuse it.
    if (!(await Ticket.exists({ _id: ticket._id }).session(session))) {
      await checkCreate(ticket, await settingsOf(ticket, session), session);
    }
    await insertTicket(ticket, session);
  });
}

/**
 * Creates a ticket, or finds the one that the same create has made before.
 * Throws TicketIdTaken, ShortIdTaken, NameTaken, OwnerBlocked, OwnerLimitReached, Cooldown, or OutcomeUnknown where an
 * earlier create is never confirmed.
 */
export async function createTicket(
  ctx: Context,
  input: CreateTicket,
): Promise<{ created: boolean; ticket: ShownTicket }> {
  const contentHash = hashContent(input);
  const { guildId, ticketId } = input;
  const [settings, block] = await Promise.all([settingsOf(input), findBlock(input)]);
  const limited = settings !== null && (settings.maxOpenPerOwner ?? settings.cooldownSeconds) !== null;
  if ((block || limited) && (ticketId === undefined || !(await isThere(ticketId)))) {
    if (block) throw new OwnerBlocked(block);
    // A first look without a turn, so that many who come too late need not wait for one.
    await checkCreate(input, settings);
  }
  const claimerId = input.claimedBy ? await knownUserId(input.claimedBy) : null;
  let ticketNumber: number | null = null;
  for (let unconfirmed = 0; unconfirmed < confirmationTries; ) {
    if (input.ticketName === undefined) ticketNumber ??= await takeTicketNumber(guildId);
    const ticket = newTicket(ctx, input, { contentHash, claimerId, ticketNumber });
    try {
      await insertWithin(limited, ticket);
      return { created: true, ticket };
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      const earlier = ticketId === undefined ? null : await findEarlier(ticketId, contentHash);
      if (earlier) return { created: false, ticket: earlier };
      const field = duplicateField(error);
      if (field === 'shortId' && input.ticketShortId !== undefined) throw new ShortIdTaken(input.ticketShortId);
      if (field === 'ticketName' && input.ticketName !== undefined) throw new NameTaken();
      // A name by hand stands where the number would go: take the next one.
      if (field === 'ticketName') ticketNumber = null;
      else if (field === '_id') {
        await sleep(confirmationWait(unconfirmed));
        unconfirmed += 1;
      } else if (field !== 'shortId') throw error;
    }
  }
  throw new OutcomeUnknown();
}
