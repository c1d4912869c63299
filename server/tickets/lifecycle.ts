import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClaimTicket, CloseTicket } from '@counterfoil/shared/tickets';
import { type QueryFilter, trusted } from 'mongoose';
import type { Context } from '../context.ts';
import {
  CommandIdTaken,
  type DomainError,
  OutcomeUnknown,
  TicketAlreadyClaimed,
  TicketClosed,
  TicketNotFound,
  VersionMismatch,
} from '../errors.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { type HistoryEntry, type ShownTicket, shown, Ticket, type TicketFields, type TicketRecord } from './model.ts';

/** What every command on an existing ticket takes. */
interface CommandInput {
  shortId: string;
  actorId?: string | undefined;
  expectedVersion?: number | undefined;
  commandId?: string | undefined;
}

/** One row of the table of commands. */
interface Command<Input extends CommandInput> {
  type: HistoryEntry['type'];
  actor(input: Input): string | undefined;
  /** The rule, as the filter of the update. */
  rule: QueryFilter<TicketRecord>;
  /** Whether the ticket already is as the command wants it. */
  holds(ticket: TicketRecord, input: Input): boolean;
  /** Which error it means that the rule does not match; null where it does. */
  refusal(ticket: TicketRecord, input: Input): DomainError | null;
  /** The new values of the fields that change, as aggregation expressions. */
  change(input: Input): Partial<Record<keyof TicketFields, unknown>>;
}

const literal = (value: unknown) => ({ $literal: value });
/** The time of a change, by the database's clock; the times of one ticket never run backwards. */
const now = { $max: ['$$NOW', '$updatedAt'] };

const claim: Command<ClaimTicket> = {
  type: 'claim',
  actor: ({ actorId, discordId }) => actorId ?? discordId,
  rule: { closed: false, claimedBy: null },
  holds: (ticket, { discordId }) => ticket.claimedBy === discordId,
  refusal: (ticket) => {
    if (ticket.closed) return new TicketClosed(ticket.shortId);
    return ticket.claimedBy === null ? null : new TicketAlreadyClaimed(ticket.shortId, ticket.claimedBy);
  },
  change: ({ discordId }) => ({ claimedBy: literal(discordId), claimedAt: now }),
};

const close: Command<CloseTicket> = {
  type: 'close',
  actor: ({ actorId, closedBy }) => actorId ?? closedBy,
  rule: { closed: false },
  holds: (ticket) => ticket.closed,
  refusal: () => null,
  change: ({ closedBy = null, reason = null }) => ({
    closed: literal(true),
    closedBy: literal(closedBy),
    closeReason: literal(reason),
    closedAt: now,
  }),
};

/** The table of commands: a new one is one more row. */
export const commands = { claim, close };

/** SHA-256 of a command's input without its `commandId`. */
function hashInput<Input extends CommandInput>({ commandId: _, ...input }: Input): string {
  const sorted = Object.entries(input).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64url');
}

/** The update of a command: the change, the version and the history entry in one step. */
function updateOf<Input extends CommandInput>(
  { key }: Context,
  command: Command<Input>,
  input: Input,
  unrecorded: Partial<Record<keyof TicketRecord, unknown>>,
) {
  const change = command.change(input);
  const seq = { $add: ['$version', 1] };
  const entry = {
    seq,
    type: command.type,
    at: now,
    actorId: literal(command.actor(input) ?? null),
    keyId: literal(key.keyId),
    commandId: literal(input.commandId ?? null),
    inputHash: literal(input.commandId === undefined ? null : hashInput(input)),
    before: Object.fromEntries(Object.keys(change).map((field) => [field, `$${field}`])),
    after: change,
  };
  const history = { $concatArrays: ['$history', [entry]] };
  return [{ $set: { ...change, ...unrecorded, version: seq, updatedAt: now, history } }];
}

/** Times to look again for a change that a majority has not confirmed, and the wait before each, in milliseconds. */
export const confirmationTries = 20;
export const confirmationWait = (miss: number) => Math.min(5 * 2 ** miss, 250);

/**
 * Runs a command on a ticket: one conditional update whose filter is the rule; where it misses, a majority read
 * tells why. `unrecorded` are values that go along and that the history can do without.
 * Throws TicketNotFound, CommandIdTaken, VersionMismatch, the command's refusal, or OutcomeUnknown.
 */
export async function run<Input extends CommandInput>(
  ctx: Context,
  command: Command<Input>,
  input: Input,
  unrecorded: Partial<Record<keyof TicketRecord, unknown>> = {},
): Promise<{ changed: boolean; ticket: ShownTicket }> {
  const { shortId, expectedVersion, commandId } = input;
  const visible = { shortId, ...inGuildsOf(ctx.key) };
  const filter = {
    ...visible,
    ...command.rule,
    ...(expectedVersion !== undefined && { version: expectedVersion }),
    ...(commandId !== undefined && { 'history.commandId': trusted({ $ne: commandId }) }),
  };
  const update = updateOf(ctx, command, input, unrecorded);
  const options = { returnDocument: 'after', projection: shown, updatePipeline: true, lean: true } as const;
  for (let miss = 0; miss < confirmationTries; miss += 1) {
    const changed = await Ticket.findOneAndUpdate(filter, update, options);
    if (changed) return { changed: true, ticket: changed };
    const ticket = await Ticket.findOne(visible).lean();
    if (!ticket) throw new TicketNotFound(shortId);
    const earlier = commandId !== undefined && ticket.history.find((entry) => entry.commandId === commandId);
    if (earlier) {
      if (earlier.type !== command.type || earlier.inputHash !== hashInput(input)) throw new CommandIdTaken(commandId);
      return { changed: true, ticket };
    }
    if (command.holds(ticket, input)) return { changed: false, ticket };
    if (expectedVersion !== undefined && expectedVersion !== ticket.version) throw new VersionMismatch(ticket.version);
    const refusal = command.refusal(ticket, input);
    if (refusal) throw refusal;
    // The change that stood in the way is not confirmed by a majority yet, or has just been taken back.
    await sleep(confirmationWait(miss));
  }
  throw new OutcomeUnknown();
}
