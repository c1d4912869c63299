import { z } from 'zod';
import { TicketDataInput } from './json.ts';
import {
  example,
  expected,
  GuildId,
  LongText,
  limits,
  lineText,
  pathText,
  Snowflake,
  Timestamp,
  Uuid,
} from './primitives.ts';

export const TicketType = pathText(64).meta({ description: 'The type of a ticket.', examples: ['support'] });
/** At most 100 characters: Discord's limit for a channel's name. */
export const TicketName = pathText(100).meta({ description: 'The name of a ticket.', examples: ['support-0001'] });
export const ShortId = pathText(64).meta({
  description: 'The short id used for reference to the ticket, unique across the service.',
  examples: [example.shortId],
});

const priorities = ['low', 'normal', 'high', 'urgent'] as const;
export const Priority = z
  .enum(priorities, { error: `Expected one of ${priorities.join(', ')}` })
  .meta({ description: '`normal` at first.', examples: ['high'] });
export type Priority = z.output<typeof Priority>;
export const Label = lineText(64).meta({ description: 'A label.', examples: ['vip'] });

const exampleCreate = {
  ticketId: example.ticketId,
  ticketShortId: example.shortId,
  ticketType: 'support',
  ticketName: 'support-0001',
  ticketData: '{"topic":"billing","order":1042}',
  guildId: example.guildId,
  ticketOwner: example.ownerId,
};
const exampleTicket = {
  ...exampleCreate,
  ticketNumber: null,
  channelId: null,
  status: 'open' as const,
  claimed: false,
  claimedBy: null,
  claimedAt: null,
  closed: false,
  closedBy: null,
  closeReason: null,
  closedAt: null,
  priority: 'normal' as const,
  labels: [],
  participants: [],
  rating: null,
  reopenCount: 0,
  version: 1,
  createdAt: example.createdAt,
  updatedAt: example.createdAt,
};
export const exampleClaimed = {
  ...exampleTicket,
  claimed: true,
  claimedBy: example.claimerId,
  claimedAt: example.claimedAt,
  version: 2,
  updatedAt: example.claimedAt,
};
const exampleClosed = {
  ...exampleClaimed,
  status: 'closed' as const,
  closed: true,
  closedBy: example.claimerId,
  closeReason: 'Solved: the order was sent again.',
  closedAt: example.closedAt,
  version: 3,
  updatedAt: example.closedAt,
};

export const Ticket = z
  .object({
    ticketId: Uuid,
    ticketShortId: z.string(),
    ticketNumber: z
      .int()
      .nullable()
      .meta({ description: "Counted per guild; null where the caller gave the ticket's name." }),
    ticketType: z.string(),
    ticketName: z.string(),
    ticketData: z.string().nullable().meta({ description: 'A string of JSON, byte for byte as it was sent.' }),
    guildId: GuildId,
    ticketOwner: Snowflake.meta({ description: "The owner's Discord id.", examples: [example.ownerId] }),
    channelId: Snowflake.nullable().meta({ description: "The ticket's own Discord channel or thread." }),
    status: z.enum(['open', 'closed']),
    claimed: z.boolean(),
    claimedBy: Snowflake.nullable().meta({ description: "The claimer's Discord id." }),
    claimedAt: Timestamp.nullable(),
    closed: z.boolean(),
    closedBy: Snowflake.nullable().meta({ description: 'The Discord id of who closed the ticket.' }),
    closeReason: z.string().nullable(),
    closedAt: Timestamp.nullable(),
    priority: Priority,
    labels: z.array(z.string()),
    participants: z.array(Snowflake).meta({ description: 'The Discord ids of others who take part.' }),
    rating: z.object({ rating: z.int(), comment: z.string().nullable(), at: Timestamp }).nullable(),
    reopenCount: z.int(),
    version: z.int().meta({ description: 'Counts the changes of the ticket; create makes 1.' }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({ id: 'Ticket', description: 'A ticket: what is not set is null.', examples: [exampleClaimed] });
export type Ticket = z.output<typeof Ticket>;

const changed = z.boolean().meta({ description: 'False where it was so already: nothing was written.' });
const ActorId = Snowflake.meta({ description: 'The Discord id of who acts, for the history.' });
const CommandId = Uuid.meta({
  description: 'Makes the command repeatable: the same commandId on the same ticket changes nothing.',
  examples: [example.commandId],
});

/** The optional fields that every command on an existing ticket takes. */
const commandFields = {
  actorId: ActorId.optional(),
  expectedVersion: z
    .int(expected('a whole number of at least 1'))
    .min(1, { error: 'Expected a whole number of at least 1' })
    .optional()
    .meta({ description: 'Refuses the command (409 version_mismatch) unless the ticket has this version.' }),
  commandId: CommandId.optional(),
};

export const CreateTicket = z
  .strictObject({
    ticketType: TicketType,
    guildId: GuildId,
    ticketOwner: Snowflake.meta({ description: "The owner's Discord id.", examples: [example.ownerId] }),
    ticketId: Uuid.optional().meta({
      description: 'Makes the create repeatable. Made by the server where missing.',
      examples: [example.ticketId],
    }),
    ticketShortId: ShortId.optional().meta({
      description: 'Unique across the service. Made by the server where missing.',
    }),
    ticketName: TicketName.optional().meta({ description: '`<ticketType>-<number>` where missing.' }),
    ticketData: TicketDataInput.optional(),
    claimed: z
      .boolean(expected('a boolean'))
      .optional()
      .meta({ description: 'True only with a claimer in claimedBy, false only without.' }),
    claimedBy: z
      .union([Snowflake, z.literal(''), z.null()], { error: 'Expected a Discord id, or "" or null for none' })
      .optional()
      .meta({ description: 'The Discord id of the claimer; "" or null for none.' }),
    closed: z
      .boolean(expected('a boolean'))
      .optional()
      .meta({ description: 'Whether the ticket is closed from the start.' }),
    channelId: Snowflake.optional().meta({
      description: "The ticket's own Discord channel or thread.",
      examples: [example.channelId],
    }),
    actorId: ActorId.optional(),
    commandId: Uuid.optional().meta({
      description: 'Kept in the history of the ticket; it is `ticketId` that makes a create repeatable.',
    }),
  })
  .superRefine(({ claimed, claimedBy }, context) => {
    if (claimed === true && !claimedBy) {
      context.addIssue({ code: 'custom', path: ['claimedBy'], message: 'Required where claimed is true' });
    }
    if (claimed === false && claimedBy) {
      context.addIssue({ code: 'custom', path: ['claimed'], message: 'Must not be false where claimedBy is given' });
    }
  })
  .meta({
    // The refinement above, for the document.
    override: {
      anyOf: [
        {
          title: 'Claimed',
          required: ['claimedBy'],
          properties: { claimed: { const: true }, claimedBy: { type: 'string', minLength: 1 } },
        },
        { title: 'Not claimed', properties: { claimed: { const: false }, claimedBy: { enum: ['', null] } } },
      ],
      examples: [exampleCreate],
    },
  });
export type CreateTicket = z.output<typeof CreateTicket>;
export const CreatedTicket = z
  .object({
    created: z.boolean().meta({ description: 'False where it was created before, with this ticketId.' }),
    ticket: Ticket,
  })
  .meta({ examples: [{ created: true, ticket: exampleTicket }] });

export const TicketByShortId = z.strictObject({ shortId: ShortId });
export const TicketByName = z.strictObject({
  ticketName: TicketName,
  guildId: GuildId.meta({ description: 'Looks in this guild only.' }).optional(),
});

export const CloseTicket = z
  .strictObject({
    shortId: ShortId,
    closedBy: Snowflake.optional().meta({ description: 'The Discord id of who closes the ticket.' }),
    reason: LongText.optional().meta({ description: 'Why, in 1 to 4,000 characters.' }),
    ...commandFields,
  })
  .meta({
    examples: [
      {
        shortId: example.shortId,
        closedBy: exampleClosed.closedBy,
        reason: exampleClosed.closeReason,
      },
    ],
  });
export type CloseTicket = z.output<typeof CloseTicket>;
export const ClosedTicket = z
  .object({ closed: z.literal(true), changed, ticket: Ticket })
  .meta({ examples: [{ closed: true, changed: true, ticket: exampleClosed }] });

export const ClaimTicket = z
  .strictObject({
    shortId: ShortId,
    discordId: Snowflake.meta({ description: "The claimer's Discord id." }),
    ...commandFields,
  })
  .meta({ examples: [{ shortId: example.shortId, discordId: example.claimerId }] });
export type ClaimTicket = z.output<typeof ClaimTicket>;

const exampleClaimer = { userId: example.userId, discordId: example.claimerId };

const claimerFields = {
  userId: Uuid.meta({ description: "The claimer's database id." }),
  discordId: Snowflake.meta({ description: "The claimer's Discord id." }),
};
export const Claimer = z.object(claimerFields).meta({ id: 'Claimer', examples: [exampleClaimer] });
export const ClaimedTicket = z
  .object({ claimed: z.literal(true), changed, ticket: Ticket, claimer: Claimer })
  .meta({ examples: [{ claimed: true, changed: true, ticket: exampleClaimed, claimer: exampleClaimer }] });

export const IsClaimer = z.strictObject({
  userId: z.union([Uuid, Snowflake], { error: "Expected the user's database UUID or Discord id" }).meta({
    description: "The user's database UUID; their Discord id is accepted too.",
    examples: [example.userId],
  }),
  shortId: ShortId,
});
export const IsClaimerResult = z.object({ isClaimer: z.boolean() }).meta({ examples: [{ isClaimer: true }] });
export const ClaimState = z
  .object({ claimed: z.boolean(), claimer: Claimer.nullable(), claimedAt: Timestamp.nullable() })
  .meta({ examples: [{ claimed: true, claimer: exampleClaimer, claimedAt: example.claimedAt }] });
export const ClaimerResult = z
  .object({ ...claimerFields, claimedAt: Timestamp })
  .meta({ examples: [{ ...exampleClaimer, claimedAt: example.claimedAt }] });

/** The answer of a command that adds nothing to it. */
export const CommandResult = z
  .object({ changed, ticket: Ticket })
  .meta({ id: 'CommandResult', examples: [{ changed: true, ticket: exampleClaimed }] });

export const UnclaimTicket = z
  .strictObject({
    shortId: ShortId,
    discordId: Snowflake.optional().meta({ description: "Where given, it must be the claimer's Discord id." }),
    ...commandFields,
  })
  .meta({ examples: [{ shortId: example.shortId, discordId: example.claimerId }] });
export type UnclaimTicket = z.output<typeof UnclaimTicket>;

export const TransferTicket = z
  .strictObject({
    shortId: ShortId,
    discordId: Snowflake.meta({ description: "The new claimer's Discord id.", examples: [example.colleagueId] }),
    ...commandFields,
  })
  .meta({ examples: [{ shortId: example.shortId, discordId: example.colleagueId, actorId: example.claimerId }] });
export type TransferTicket = z.output<typeof TransferTicket>;

export const ReopenTicket = z
  .strictObject({ shortId: ShortId, ...commandFields })
  .meta({ examples: [{ shortId: example.shortId, actorId: example.ownerId }] });
export type ReopenTicket = z.output<typeof ReopenTicket>;

const updatable = {
  ticketName: TicketName.optional(),
  ticketType: TicketType.optional(),
  ticketOwner: Snowflake.optional().meta({ description: "The new owner's Discord id.", examples: [example.ownerId] }),
  ticketData: TicketDataInput.nullable().optional(),
  channelId: Snowflake.nullable().optional().meta({ description: "The ticket's own Discord channel or thread." }),
  priority: Priority.optional(),
  labels: z
    .array(Label, expected('a list of labels'))
    .max(limits.labels, { error: `At most ${limits.labels} labels` })
    .refine((labels) => new Set(labels).size === labels.length, { error: 'A label is given twice' })
    .meta({ uniqueItems: true })
    .nullable()
    .optional()
    .meta({ description: 'Replaces all labels; null for none.' }),
};
const updatableFields = Object.keys(updatable) as (keyof typeof updatable)[];

export const UpdateTicket = z
  .strictObject({ shortId: ShortId, ...updatable, ...commandFields })
  .refine((input) => updatableFields.some((field) => input[field] !== undefined), {
    error: `Nothing to change: give at least one of ${updatableFields.join(', ')}`,
  })
  .meta({
    // The refinement above, for the document.
    override: {
      anyOf: updatableFields.map((field) => ({ title: field, required: [field] })),
      examples: [{ shortId: example.shortId, priority: 'high', labels: ['billing', 'vip'] }],
    },
  });
export type UpdateTicket = z.output<typeof UpdateTicket>;

export const ParticipantInput = z
  .strictObject({
    shortId: ShortId,
    discordId: Snowflake.meta({ description: "The participant's Discord id.", examples: [example.colleagueId] }),
    ...commandFields,
  })
  .meta({ examples: [{ shortId: example.shortId, discordId: example.colleagueId }] });
export type ParticipantInput = z.output<typeof ParticipantInput>;

const rating = 'a whole number from 1 to 5';

export const RateTicket = z
  .strictObject({
    shortId: ShortId,
    discordId: Snowflake.meta({
      description: "The owner's Discord id: nobody else may rate.",
      examples: [example.ownerId],
    }),
    rating: z
      .int(expected(rating))
      .min(1, { error: `Expected ${rating}` })
      .max(5, { error: `Expected ${rating}` }),
    comment: LongText.optional().meta({ description: 'In 1 to 4,000 characters.' }),
    ...commandFields,
  })
  .meta({
    examples: [{ shortId: example.shortId, discordId: example.ownerId, rating: 5, comment: 'Quick and kind.' }],
  });
export type RateTicket = z.output<typeof RateTicket>;

export const DeleteTicket = z
  .strictObject({ shortId: ShortId, ...commandFields })
  .meta({ examples: [{ shortId: example.shortId }] });
