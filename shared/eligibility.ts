import { z } from 'zod';
import { example, GuildId, Snowflake, Timestamp } from './primitives.ts';
import { TicketType } from './tickets.ts';

export const EligibilityQuery = z.strictObject({
  guildId: GuildId,
  ticketType: TicketType,
  discordId: Snowflake.meta({ description: 'Who wants to open a ticket.', examples: [example.ownerId] }),
});

/** What a create would be refused for, named as its errors are. */
const reasons = ['owner_blocked', 'owner_limit_reached', 'cooldown'] as const;

export const Eligibility = z
  .object({
    eligible: z.boolean().meta({ description: 'Whether a create would be let through now.' }),
    reasons: z.array(z.enum(reasons)).meta({ description: 'The types of the errors that a create would meet.' }),
    openCount: z.int().meta({ description: 'Open tickets of this type that the person has.' }),
    limit: z.int().nullable().meta({ description: 'How many they may have; null for any number.' }),
    cooldownEndsAt: Timestamp.nullable().meta({ description: 'When they may open the next one; null for now.' }),
    channelId: Snowflake.nullable().meta({ description: "The ticket type's Discord channel, where it has one." }),
  })
  .meta({
    examples: [
      {
        eligible: false,
        reasons: ['owner_limit_reached', 'cooldown'],
        openCount: 1,
        limit: 1,
        cooldownEndsAt: example.closedAt,
        channelId: example.channelId,
      },
    ],
  });
export type Eligibility = z.output<typeof Eligibility>;
