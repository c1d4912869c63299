import { z } from 'zod';
import { NextCursor, PageQuery } from './pages.ts';
import { example, Snowflake, Timestamp, Uuid } from './primitives.ts';
import { ShortId } from './tickets.ts';

/** What changes a ticket: the commands, and the erasure of a person. */
const changeTypes = [
  'create',
  'claim',
  'unclaim',
  'transfer',
  'close',
  'reopen',
  'update',
  'addParticipant',
  'removeParticipant',
  'rate',
  'erase',
] as const;
export type ChangeType = (typeof changeTypes)[number];

const exampleEntry = {
  seq: 2,
  type: 'claim' as const,
  at: example.claimedAt,
  actorId: example.claimerId,
  keyId: 'XS2YfX3r',
  commandId: example.commandId,
  before: { claimedBy: null, claimedAt: null, claimed: false },
  after: { claimedBy: example.claimerId, claimedAt: example.claimedAt, claimed: true },
};
const exampleInterval = {
  claimer: example.claimerId,
  from: example.claimedAt,
  to: example.closedAt,
  endReason: 'close' as const,
};

const Fields = z.record(z.string(), z.unknown());

/** One change of a ticket: `before` and `after` hold the fields that changed, named as in the ticket. */
export const HistoryEntry = z
  .object({
    seq: z.int().meta({ description: 'The version that the change made.' }),
    type: z.enum(changeTypes),
    at: Timestamp,
    actorId: Snowflake.nullable().meta({ description: 'The Discord id of who acted, where it was told.' }),
    keyId: z.string().meta({ description: 'The key that the command came with.' }),
    commandId: Uuid.nullable(),
    before: Fields.nullable().meta({ description: 'The fields that changed, as they were; null for create.' }),
    after: Fields.meta({ description: 'The fields that changed, as they became.' }),
  })
  .meta({ id: 'HistoryEntry', description: 'One change of a ticket.', examples: [exampleEntry] });
export type HistoryEntry = z.output<typeof HistoryEntry>;

/** A stretch of time in which one person had claimed the ticket while it was open. */
export const ClaimInterval = z
  .object({
    claimer: Snowflake.meta({ description: "The claimer's Discord id." }),
    from: Timestamp,
    to: Timestamp.nullable().meta({ description: 'Null while it lasts.' }),
    endReason: z.enum(changeTypes).nullable().meta({ description: 'The change that ended it; null while it lasts.' }),
  })
  .meta({
    id: 'ClaimInterval',
    description: 'A stretch of time in which one person had claimed the ticket while it was open.',
    examples: [exampleInterval],
  });
export type ClaimInterval = z.output<typeof ClaimInterval>;

export const HistoryQuery = z.strictObject({ shortId: ShortId, ...PageQuery });
export const History = z
  .object({
    history: z.array(HistoryEntry),
    nextCursor: NextCursor,
    claimIntervals: z.array(ClaimInterval),
  })
  .meta({ examples: [{ history: [exampleEntry], nextCursor: null, claimIntervals: [exampleInterval] }] });
