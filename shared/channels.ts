import { z } from 'zod';
import { example, expected, GuildId, limits, lineText, Snowflake, Timestamp, Uuid, wholeNumber } from './primitives.ts';
import { TicketType } from './tickets.ts';

const ChannelId = Snowflake.meta({ description: 'The id of the Discord channel.', examples: [example.channelId] });

const exampleAssignment = { ticketType: 'support', guildId: example.guildId, channelId: example.channelId };
const exampleChannel = {
  id: '5d0c6a7e-2b9f-4c31-a8e4-7f1b3d9c2e60',
  ...exampleAssignment,
  displayName: null,
  maxOpenPerOwner: null,
  cooldownSeconds: null,
  requireCloseReason: null,
  staffRoleIds: null,
  createdAt: example.createdAt,
  updatedAt: example.createdAt,
};

/** The Discord channel that a guild has assigned to a ticket type, with the settings of that type. */
export const TicketChannel = z
  .object({
    id: Uuid,
    ticketType: z.string(),
    guildId: GuildId,
    channelId: ChannelId,
    displayName: z.string().nullable(),
    maxOpenPerOwner: z.int().nullable().meta({ description: 'Open tickets of this type that one owner may have.' }),
    cooldownSeconds: z.int().nullable().meta({ description: "Seconds between one owner's creates." }),
    requireCloseReason: z.boolean().nullable().meta({ description: 'Whether a close needs a reason.' }),
    staffRoleIds: z
      .array(Snowflake)
      .nullable()
      .meta({ description: 'The Discord roles of who handles these tickets.' }),
    createdAt: Timestamp,
    updatedAt: Timestamp,
  })
  .meta({
    id: 'TicketChannel',
    description: 'The Discord channel of a ticket type in a guild, and its settings: null where unset.',
    examples: [exampleChannel],
  });
export type TicketChannel = z.output<typeof TicketChannel>;

export const TicketChannelByType = z.strictObject({ ticketType: TicketType, guildId: GuildId });

export const CreateTicketChannel = z
  .strictObject({
    id: Uuid.optional().meta({ description: 'The database id. Made by the server where missing.' }),
    ticketType: TicketType,
    guildId: GuildId,
    channelId: ChannelId,
  })
  .meta({ examples: [exampleAssignment] });
export type CreateTicketChannel = z.output<typeof CreateTicketChannel>;
export const CreatedTicketChannel = z
  .object({
    created: z.boolean().meta({ description: 'False where the same assignment was there already.' }),
    channel: TicketChannel,
  })
  .meta({ examples: [{ created: true, channel: exampleChannel }] });

export const TicketChannelsOfGuild = z.strictObject({ guildId: GuildId });
export const TicketChannelList = z
  .object({ channels: z.array(TicketChannel) })
  .meta({ examples: [{ channels: [exampleChannel] }] });

/** The settings of a ticket type, as they come in: null clears. */
export const channelSettings = {
  displayName: lineText(100).nullable().optional().meta({ description: 'What people are shown for this type.' }),
  maxOpenPerOwner: wholeNumber(1, limits.maxOpenPerOwner)
    .nullable()
    .optional()
    .meta({ description: 'Open tickets of this type that one owner may have.' }),
  cooldownSeconds: wholeNumber(1, limits.cooldownSeconds)
    .nullable()
    .optional()
    .meta({ description: "Seconds between one owner's creates." }),
  requireCloseReason: z
    .boolean(expected('a boolean'))
    .nullable()
    .optional()
    .meta({ description: 'Whether a close needs a reason.' }),
  staffRoleIds: z
    .array(Snowflake, expected('a list of Discord ids'))
    .max(limits.staffRoles, { error: `At most ${limits.staffRoles} roles` })
    .refine((roles) => new Set(roles).size === roles.length, { error: 'A role is given twice' })
    .meta({ uniqueItems: true })
    .nullable()
    .optional()
    .meta({ description: 'The Discord roles of who handles these tickets.' }),
};
const updatable = { channelId: ChannelId.optional(), ...channelSettings };
const updatableFields = Object.keys(updatable) as (keyof typeof updatable)[];

export const UpdateTicketChannel = z
  .strictObject({ ticketType: TicketType, guildId: GuildId, ...updatable })
  .refine((input) => updatableFields.some((field) => input[field] !== undefined), {
    error: `Nothing to change: give at least one of ${updatableFields.join(', ')}`,
  })
  .meta({
    // The refinement above, for the document.
    override: {
      anyOf: updatableFields.map((field) => ({ title: field, required: [field] })),
      examples: [{ ticketType: 'support', guildId: example.guildId, maxOpenPerOwner: 1, cooldownSeconds: 60 }],
    },
  });
export type UpdateTicketChannel = z.output<typeof UpdateTicketChannel>;
export const UpdatedTicketChannel = z
  .object({
    changed: z.boolean().meta({ description: 'False where it was so already.' }),
    channel: TicketChannel,
  })
  .meta({ examples: [{ changed: true, channel: { ...exampleChannel, maxOpenPerOwner: 1, cooldownSeconds: 60 } }] });

export const DeleteTicketChannel = TicketChannelByType.meta({
  examples: [{ ticketType: 'support', guildId: example.guildId }],
});
