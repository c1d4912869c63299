import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { limits } from '@counterfoil/shared/primitives';
import type {
  ClaimTicket,
  CloseTicket,
  ParticipantInput,
  RateTicket,
  ReopenTicket,
  TransferTicket,
  UnclaimTicket,
  UpdateTicket,
} from '@counterfoil/shared/tickets';
import type { mongo, QueryFilter } from 'mongoose';
import type { TicketChannelRecord } from '../channels/model.ts';
import type { Context } from '../context.ts';
import { rawCollection } from '../database/raw.ts';
import { isDuplicate } from '../database/unique.ts';
import {
  CommandIdTaken,
  type DomainError,
  NameTaken,
  NotTheClaimer,
  NotTheOwner,
  OutcomeUnknown,
  TicketAlreadyClaimed,
  TicketClosed,
  TicketNotClaimed,
  TicketNotClosed,
  TicketNotFound,
  ValidationFailed,
  VersionMismatch,
} from '../errors.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { archiveHistory, findEntry } from './history.ts';
import { checkLimit, inTurn, type Place, settingsOf } from './limits.ts';
import { type HistoryEntry, type ShownTicket, shown, Ticket, type TicketFields, type TicketRecord } from './model.ts';
import { searchedFields, wordsOfField } from './search.ts';

/** What every command on an existing ticket takes. */
export interface CommandInput {
  shortId: string;
  actorId?: string | undefined;
  expectedVersion?: number | undefined;
  commandId?: string | undefined;
}

/** One row of the table of commands. */
export interface Command<Input extends CommandInput> {
  type: HistoryEntry['type'];
  actor(input: Input): string | undefined;
  /** The rule, as the filter of the update. */
  rule(input: Input): mongo.Filter<TicketRecord>;
  /** Whether the ticket already is as the command wants it. */
  holds(ticket: TicketRecord, input: Input): boolean;
  /** Which error it means that the rule does not match; null where it does. */
  refusal(ticket: TicketRecord, input: Input): DomainError | null;
  /** The new values of the fields that change, as aggregation expressions. */
  change(input: Input): Partial<Record<keyof TicketFields, unknown>>;
  /** Whether the command begins an interval of claim (and ends the one before), or ends it. */
  claim?: 'begins' | 'ends';
  /** Whether the settings of the ticket's type bear on such an input. */
  asksSettings?(input: Input): boolean;
  /** What these settings forbid. */
  forbidden?(settings: TicketChannelRecord): DomainError | null;
  /** Whether the command makes one open ticket more of a type and owner. */
  takesPlace?(ticket: Place, input: Input): boolean;
}

const literal = <Value>(value: Value) => ({ $literal: value });
/** The time of a change, by the database's clock; the times of one ticket never run backwards. */
const now = { $max: ['$$NOW', '$updatedAt'] };

const refuseClosed = ({ closed, shortId }: TicketRecord) => (closed ? new TicketClosed(shortId) : null);

const claim: Command<ClaimTicket> = {
  type: 'claim',
  actor: ({ actorId, discordId }) => actorId ?? discordId,
  rule: () => ({ closed: false, claimedBy: null }),
  holds: ({ claimedBy }, { discordId }) => claimedBy === discordId,
  refusal: (ticket) =>
    refuseClosed(ticket) ?? (ticket.claimedBy ? new TicketAlreadyClaimed(ticket.shortId, ticket.claimedBy) : null),
  change: ({ discordId }) => ({ claimedBy: literal(discordId), claimedAt: now }),
  claim: 'begins',
};

const unclaim: Command<UnclaimTicket> = {
  type: 'unclaim',
  actor: ({ actorId, discordId }) => actorId ?? discordId,
  rule: ({ discordId }) => ({ closed: false, claimedBy: discordId ?? { $ne: null } }),
  holds: ({ claimedBy }) => claimedBy === null,
  refusal: (ticket, { discordId }) =>
    refuseClosed(ticket) ?? (discordId && discordId !== ticket.claimedBy ? new NotTheClaimer(ticket.shortId) : null),
  change: () => ({ claimedBy: literal(null), claimedAt: literal(null) }),
  claim: 'ends',
};

const transfer: Command<TransferTicket> = {
  type: 'transfer',
  actor: ({ actorId }) => actorId,
  rule: ({ discordId }) => ({ closed: false, claimedBy: { $nin: [null, discordId] } }),
  holds: ({ claimedBy }, { discordId }) => claimedBy === discordId,
  refusal: (ticket) =>
    refuseClosed(ticket) ?? (ticket.claimedBy === null ? new TicketNotClaimed(ticket.shortId) : null),
  change: ({ discordId }) => ({ claimedBy: literal(discordId), claimedAt: now }),
  claim: 'begins',
};

const reasonRequired = () =>
  new ValidationFailed([{ path: 'reason', message: 'Required: tickets of this type are closed with a reason' }]);

const close: Command<CloseTicket> = {
  type: 'close',
  actor: ({ actorId, closedBy }) => actorId ?? closedBy,
  rule: () => ({ closed: false }),
  holds: ({ closed }) => closed,
  refusal: () => null,
  change: ({ closedBy = null, reason = null }) => ({
    closed: literal(true),
    closedBy: literal(closedBy),
    closeReason: literal(reason),
    closedAt: now,
  }),
  claim: 'ends',
  asksSettings: ({ reason }) => reason === undefined,
  forbidden: ({ requireCloseReason }) => (requireCloseReason ? reasonRequired() : null),
};

const reopen: Command<ReopenTicket> = {
  type: 'reopen',
  actor: ({ actorId }) => actorId,
  rule: () => ({ closed: true }),
  holds: ({ closed }) => !closed,
  refusal: () => null,
  change: () => ({
    closed: literal(false),
    closedBy: literal(null),
    closeReason: literal(null),
    closedAt: literal(null),
    reopenCount: { $add: ['$reopenCount', 1] },
  }),
  claim: 'begins',
  asksSettings: () => true,
  takesPlace: () => true,
};

/** The fields that a closed ticket still lets change. */
const whileClosed = new Set(['ticketData', 'labels', 'priority', 'channelId']);

function wanted({ shortId: _s, actorId: _a, expectedVersion: _e, commandId: _c, labels, ...rest }: UpdateTicket) {
  const fields = { ...rest, ...(labels !== undefined && { labels: labels ?? [] }) };
  return Object.entries(fields).filter(([, value]) => value !== undefined);
}

const isForClosed = (input: UpdateTicket) => wanted(input).every(([field]) => whileClosed.has(field));

const update: Command<UpdateTicket> = {
  type: 'update',
  actor: ({ actorId }) => actorId,
  rule: (input) => ({
    ...(isForClosed(input) ? {} : { closed: false }),
    $or: wanted(input).map(([field, value]) => ({ [field]: { $ne: value } })),
  }),
  holds: (ticket, input) =>
    wanted(input).every(([field, value]) => isDeepStrictEqual(ticket[field as keyof TicketRecord], value)),
  refusal: (ticket, input) => (isForClosed(input) ? null : refuseClosed(ticket)),
  change: (input) => Object.fromEntries(wanted(input).map(([field, value]) => [field, literal(value)])),
  asksSettings: ({ ticketType, ticketOwner }) => ticketType !== undefined || ticketOwner !== undefined,
  takesPlace: (ticket, { ticketType = ticket.ticketType, ticketOwner = ticket.ticketOwner }) =>
    ticketType !== ticket.ticketType || ticketOwner !== ticket.ticketOwner,
};

const full = () =>
  new ValidationFailed([{ path: 'discordId', message: `The ticket has ${limits.participants} participants already` }]);

const addParticipant: Command<ParticipantInput> = {
  type: 'addParticipant',
  actor: ({ actorId }) => actorId,
  rule: ({ discordId }) => ({
    closed: false,
    participants: { $ne: discordId },
    [`participants.${limits.participants - 1}`]: { $exists: false },
  }),
  holds: ({ participants }, { discordId }) => participants.includes(discordId),
  refusal: (ticket) => refuseClosed(ticket) ?? (ticket.participants.length >= limits.participants ? full() : null),
  change: ({ discordId }) => ({ participants: { $concatArrays: ['$participants', [literal(discordId)]] } }),
};

const removeParticipant: Command<ParticipantInput> = {
  type: 'removeParticipant',
  actor: ({ actorId }) => actorId,
  rule: ({ discordId }) => ({ closed: false, participants: discordId }),
  holds: ({ participants }, { discordId }) => !participants.includes(discordId),
  refusal: refuseClosed,
  change: ({ discordId }) => ({
    participants: { $filter: { input: '$participants', cond: { $ne: ['$$this', literal(discordId)] } } },
  }),
};

const rate: Command<RateTicket> = {
  type: 'rate',
  actor: ({ actorId, discordId }) => actorId ?? discordId,
  rule: ({ discordId, rating, comment = null }) => ({
    closed: true,
    ticketOwner: discordId,
    $or: [{ 'rating.rating': { $ne: rating } }, { 'rating.comment': { $ne: comment } }],
  }),
  holds: (ticket, { discordId, rating, comment = null }) =>
    ticket.ticketOwner === discordId && ticket.rating?.rating === rating && ticket.rating.comment === comment,
  refusal: (ticket, { discordId }) => {
    if (ticket.ticketOwner !== discordId) return new NotTheOwner(ticket.shortId);
    return ticket.closed ? null : new TicketNotClosed(ticket.shortId);
  },
  change: ({ rating, comment = null }) => ({
    rating: { rating: literal(rating), comment: literal(comment), at: now },
  }),
};

/** The table of commands: a new one is one more row. */
export const commands = {
  claim,
  unclaim,
  transfer,
  close,
  reopen,
  update,
  addParticipant,
  removeParticipant,
  rate,
};

/** SHA-256 of a command's input without its `commandId`. */
function hashInput<Input extends CommandInput>({ commandId: _, ...input }: Input): string {
  const sorted = Object.entries(input).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash('sha256', JSON.stringify(sorted), 'base64url');
}

/** What follows from a command on the claim: the open interval ends, and one begins where there is a claimer. */
function afterClaim(type: string, what: 'begins' | 'ends') {
  const ended = {
    $map: {
      input: '$claimIntervals',
      in: {
        $cond: [{ $eq: ['$$this.to', null] }, { $mergeObjects: ['$$this', { to: now, endReason: type }] }, '$$this'],
      },
    },
  };
  const begun = [{ claimer: '$claimedBy', from: now, to: null, endReason: null }];
  const unclaimed = { $eq: ['$claimedBy', null] };
  return {
    claimerId: { $cond: [unclaimed, null, '$claimerId'] },
    claimIntervals: what === 'ends' ? ended : { $concatArrays: [ended, { $cond: [unclaimed, [], begun] }] },
  };
}

/** What follows from a change on the search: the words of the searched fields that it sets. */
function afterWords(change: Partial<Record<keyof TicketFields, unknown>>) {
  const given = searchedFields.flatMap((field) => {
    const value = change[field] as { $literal: string | null } | undefined;
    return value ? [[`words.${field}`, literal(wordsOfField(field, value.$literal))]] : [];
  });
  if (given.length === 0) return [];
  const all = { $setUnion: searchedFields.map((field) => `$words.${field}`) };
  return [{ $set: Object.fromEntries(given) }, { $set: { searchWords: all } }];
}

/** The update of a command: the change, the version and the history entry in one step. */
function updateOf<Input extends CommandInput>(
  { key }: Context,
  command: Command<Input>,
  input: Input,
  unrecorded: Partial<Record<keyof TicketRecord, unknown>>,
) {
  const change = command.change(input);
  const values = Object.fromEntries(Object.keys(change).map((field) => [field, `$${field}`]));
  const seq = { $add: ['$version', 1] };
  const entry = {
    seq,
    type: command.type,
    at: now,
    actorId: literal(command.actor(input) ?? null),
    keyId: literal(key.keyId),
    commandId: literal(input.commandId ?? null),
    inputHash: literal(input.commandId === undefined ? null : hashInput(input)),
    before: '$before',
    after: values,
  };
  const history = { $concatArrays: ['$history', [entry]] };
  const claim = command.claim && afterClaim(command.type, command.claim);
  return [
    { $set: { before: values, ...change, ...unrecorded } },
    ...afterWords(change),
    { $set: { ...claim, history, version: seq, updatedAt: now } },
    { $set: { historyBytes: { $bsonSize: { history: '$history' } }, before: '$$REMOVE' } },
  ];
}

/** Times to look again for a change that a majority has not confirmed, and the wait before each, in milliseconds. */
export const confirmationTries = 20;
export const confirmationWait = (miss: number) => Math.min(5 * 2 ** miss, 250);

interface Governed {
  /** The ticket's type and owner when the settings were read: the command holds for such a ticket only. */
  as: Pick<TicketRecord, 'ticketType' | 'ticketOwner'>;
  forbidden: DomainError | null;
  /** Where the command makes one open ticket more, of a type with a limit. */
  limited: Place | null;
}

/** What the settings of the type that the ticket will then have say about a command; null where none are to be asked. */
async function govern<Input extends CommandInput>(
  command: Command<Input>,
  visible: QueryFilter<TicketRecord>,
  input: Input & Partial<Place>,
): Promise<Governed | null> {
  if (!command.asksSettings?.(input)) return null;
  const ticket = await Ticket.findOne(visible, { guildId: 1, ticketType: 1, ticketOwner: 1 }).lean();
  // Not there, or not confirmed yet: an update that found it all the same would not have asked.
  if (!ticket) throw new TicketNotFound(input.shortId);
  const { guildId, ticketType, ticketOwner } = ticket;
  const place = { guildId, ticketType: input.ticketType ?? ticketType, ticketOwner: input.ticketOwner ?? ticketOwner };
  const settings = await settingsOf(place);
  const limited = settings?.maxOpenPerOwner != null && command.takesPlace?.(ticket, input);
  return {
    as: { ticketType, ticketOwner },
    forbidden: (settings && command.forbidden?.(settings)) ?? null,
    limited: limited ? place : null,
  };
}

/**
 * Runs a command on a ticket: one conditional update whose filter is the rule; where it misses, a majority read
 * tells why. `unrecorded` are values that go along and that the history can do without.
 * Throws TicketNotFound, CommandIdTaken, VersionMismatch, the command's refusal, OwnerLimitReached, or OutcomeUnknown.
 */
export async function run<Input extends CommandInput>(
  ctx: Context,
  command: Command<Input>,
  input: Input,
  unrecorded: Partial<Record<keyof TicketRecord, unknown>> = {},
): Promise<{ changed: boolean; ticket: ShownTicket }> {
  const { shortId, expectedVersion, commandId } = input;
  const visible = { shortId, ...inGuildsOf(ctx.key) };
  const changes = updateOf(ctx, command, input, unrecorded);
  const options = { returnDocument: 'after', projection: shown } as const;
  // The archive was searched for the commandId up to this version; the update must not overlook what was moved since.
  let searchedTo = 0;
  for (let miss = 0; miss < confirmationTries; miss += 1) {
    const governed = await govern(command, visible, input);
    const filter = {
      ...visible,
      ...command.rule(input),
      ...(expectedVersion !== undefined && { version: expectedVersion }),
      ...(commandId !== undefined && { 'history.commandId': { $ne: commandId }, archivedTo: searchedTo }),
      ...governed?.as,
    };
    const update = (session?: mongo.ClientSession) =>
      rawCollection(Ticket).findOneAndUpdate(filter, changes, { ...options, ...(session && { session }) });
    const changed = governed?.forbidden ? null : await attempt(update, governed?.limited ?? null);
    if (changed) {
      await archiveHistory(changed);
      return { changed: true, ticket: changed };
    }
    const ticket = await Ticket.findOne(visible).lean();
    if (!ticket) throw new TicketNotFound(shortId);
    const earlier = commandId !== undefined && (await findEntry(ticket, commandId));
    if (earlier) {
      if (earlier.type !== command.type || earlier.inputHash !== hashInput(input)) throw new CommandIdTaken(commandId);
      return { changed: true, ticket };
    }
    if (command.holds(ticket, input)) return { changed: false, ticket };
    if (expectedVersion !== undefined && expectedVersion !== ticket.version) throw new VersionMismatch(ticket.version);
    const refusal = command.refusal(ticket, input) ?? governed?.forbidden;
    if (refusal) throw refusal;
    // The change that stood in the way is not confirmed by a majority yet, or has just been taken back.
    if (searchedTo === ticket.archivedTo) await sleep(confirmationWait(miss));
    searchedTo = ticket.archivedTo;
  }
  throw new OutcomeUnknown();
}

/** Updates a ticket; where it takes a place of a limited type, together with the check that the limit holds with it. */
async function attempt<Result>(
  update: (session?: mongo.ClientSession) => Promise<Result | null>,
  limited: Place | null,
): Promise<Result | null> {
  try {
    if (!limited) return await update();
    return await inTurn(limited, async (session) => {
      const changed = await update(session);
      if (changed) await checkLimit(limited, await settingsOf(limited, session), 1, session);
      return changed;
    });
  } catch (error) {
    // A reopened or renamed ticket may meet an open one of its name: only that index can refuse an update.
    throw isDuplicate(error) ? new NameTaken() : error;
  }
}
