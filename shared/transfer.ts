import { z } from 'zod';
import { channelSettings } from './channels.ts';
import { ClaimInterval, HistoryEntry } from './history.ts';
import { TicketDataInput } from './json.ts';
import { expected, GuildId, LongText, limits, lineText, Snowflake, TimeInput, Uuid } from './primitives.ts';
import { Label, Priority, ShortId, TicketName, TicketType } from './tickets.ts';

/** The version of the lines below; an export names it in its first line. */
export const transferFormat = 1;

/** A time with any offset and precision: old data have their own habits. */
const Time = TimeInput('A time.');
/** The number of a ticket or of a change. */
const count = z
  .int(expected('a whole number of at least 1'))
  .min(1, { error: 'Expected a whole number of at least 1' })
  .max(2 ** 40, { error: 'Expected a whole number up to 2^40' });
/** A higher one in an old ticket is a slip, and would raise the numbers of all that follow. */
const highestOldNumber = 2 ** 31 - 1;
const flag = z.boolean(expected('a boolean')).nullish();
const keyId = lineText(64);
const hash = z.string(expected('a hash')).regex(/^[\w-]{43}$/, { error: 'Expected a SHA-256 in base64url' });

/** The first line of an export. */
export const ExportLine = z.strictObject({
  kind: z.literal('export'),
  format: z.literal(transferFormat, {
    error: `Expected ${transferFormat}: this version of Counterfoil reads no other format`,
  }),
  guildId: GuildId.nullable(),
});

/** The last line of an export: without it the export was broken off. */
export const EndLine = z.strictObject({ kind: z.literal('end') });

export const UserLine = z.strictObject({
  kind: z.literal('user'),
  userId: Uuid.nullish(),
  userDiscordId: Snowflake,
  userDisplayName: lineText(100).nullish(),
  createdAt: Time.nullish(),
});
export type UserLine = z.output<typeof UserLine>;

export const ChannelLine = z.strictObject({
  kind: z.literal('channel'),
  id: Uuid.nullish(),
  ticketType: TicketType,
  guildId: GuildId,
  channelId: Snowflake,
  ...channelSettings,
  createdAt: Time.nullish(),
  updatedAt: Time.nullish(),
});
export type ChannelLine = z.output<typeof ChannelLine>;

export const BlockLine = z.strictObject({
  kind: z.literal('block'),
  id: Uuid.nullish(),
  guildId: GuildId,
  discordId: Snowflake,
  ticketType: TicketType.nullish(),
  reason: LongText.nullish(),
  expiresAt: Time.nullish(),
  createdAt: Time.nullish(),
});
export type BlockLine = z.output<typeof BlockLine>;

/** The last ticket number that a guild has used. */
export const CounterLine = z.strictObject({ kind: z.literal('counter'), guildId: GuildId, tickets: count });
export type CounterLine = z.output<typeof CounterLine>;

const person = Snowflake.nullish();
const isSet = (values: string[]) => new Set(values).size === values.length;
const labels = z
  .array(Label)
  .max(limits.labels, { error: `At most ${limits.labels} labels` })
  .refine(isSet, { error: 'A label is given twice' });
const participants = z
  .array(Snowflake)
  .max(limits.participants, { error: `At most ${limits.participants} participants` })
  .refine(isSet, { error: 'A participant is given twice' });
const rating = z.strictObject({
  rating: z.int().min(1).max(5),
  comment: LongText.nullable().default(null),
  at: Time,
});

/** The fields of a ticket in an entry of its history. */
const ChangedFields = z.strictObject({
  ticketType: TicketType.optional(),
  ticketName: TicketName.optional(),
  ticketData: TicketDataInput.nullable().optional(),
  ticketOwner: Snowflake.optional(),
  channelId: Snowflake.nullable().optional(),
  claimedBy: Snowflake.nullable().optional(),
  claimedAt: Time.nullable().optional(),
  closed: z.boolean().optional(),
  closedBy: Snowflake.nullable().optional(),
  closeReason: LongText.nullable().optional(),
  closedAt: Time.nullable().optional(),
  priority: Priority.optional(),
  labels: labels.optional(),
  participants: participants.optional(),
  rating: rating.nullable().optional(),
  reopenCount: z.int().min(0).optional(),
});
export const changedFields = Object.keys(ChangedFields.shape) as (keyof typeof ChangedFields.shape)[];

const EntryLine = z.strictObject({
  seq: count,
  type: HistoryEntry.shape.type,
  at: Time,
  actorId: Snowflake.nullable(),
  keyId,
  commandId: Uuid.nullable(),
  inputHash: hash.nullable(),
  before: ChangedFields.nullable(),
  after: ChangedFields,
});

const IntervalLine = z.strictObject({
  claimer: Snowflake,
  from: Time,
  to: Time.nullable(),
  endReason: ClaimInterval.shape.endReason,
});

const NoteLine = z.strictObject({
  noteId: Uuid.nullish(),
  authorId: Snowflake,
  text: LongText,
  keyId: keyId.nullish(),
  createdAt: Time,
});

/** A ticket with all that belongs to it. A bot's own old ticket needs guild, type and owner only. */
export const TicketLine = z
  .strictObject({
    kind: z.literal('ticket'),
    ticketId: Uuid.nullish(),
    ticketShortId: ShortId.nullish(),
    ticketNumber: count.nullish(),
    ticketType: TicketType,
    ticketName: TicketName.nullish(),
    ticketData: TicketDataInput.nullish(),
    guildId: GuildId,
    ticketOwner: Snowflake,
    channelId: person,
    status: z.enum(['open', 'closed'], { error: 'Expected open or closed' }).nullish(),
    claimed: flag,
    claimedBy: z.union([Snowflake, z.literal('')], { error: 'Expected a Discord id, or null for none' }).nullish(),
    claimedAt: Time.nullish(),
    claimerId: Uuid.nullish(),
    closed: flag,
    closedBy: person,
    closeReason: LongText.nullish(),
    closedAt: Time.nullish(),
    priority: Priority.nullish(),
    labels: labels.nullish(),
    participants: participants.nullish(),
    rating: rating.nullish(),
    reopenCount: z.int().min(0).nullish(),
    version: count.nullish(),
    createdAt: Time.nullish(),
    updatedAt: Time.nullish(),
    contentHash: hash.nullish(),
    claimIntervals: z.array(IntervalLine).max(50_000, { error: 'At most 50,000 intervals' }).nullish(),
    history: z.array(EntryLine).min(1, { error: 'Expected one entry at least' }).nullish(),
    notes: z.array(NoteLine).nullish(),
  })
  .superRefine((line, context) => {
    const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    const closed = line.closed ?? line.status === 'closed';
    if (line.closed != null && line.status != null && line.closed !== (line.status === 'closed')) {
      refuse('status', 'Contradicts closed');
    }
    if (line.claimed === true && !line.claimedBy) refuse('claimedBy', 'Required where claimed is true');
    if (line.claimed === false && line.claimedBy) refuse('claimed', 'Must not be false where claimedBy is given');
    if (!line.claimedBy && line.claimedAt) refuse('claimedAt', 'Needs claimedBy');
    for (const field of ['closedBy', 'closeReason', 'closedAt'] as const) {
      if (!closed && line[field]) refuse(field, 'Is for a closed ticket: status must be closed');
    }
    const noteIds = (line.notes ?? []).flatMap(({ noteId }) => noteId ?? []);
    if (!isSet(noteIds)) refuse('notes', 'A noteId is given twice');
    if (!line.history) {
      if ((line.ticketNumber ?? 1) > highestOldNumber) refuse('ticketNumber', 'Expected a whole number below 2^31');
      if ((line.version ?? 1) !== 1) refuse('version', 'Must be 1 where history is missing');
      if (line.claimIntervals) refuse('claimIntervals', 'Needs history');
      return;
    }
    if (!line.claimIntervals) refuse('claimIntervals', 'Required where history is given');
    if (line.history.some(({ seq }, place) => seq !== place + 1)) refuse('history', 'seq must count from 1 on');
    if (line.version !== line.history.length) refuse('version', 'Must be the seq of the last entry of history');
  });
export type TicketLine = z.output<typeof TicketLine>;
