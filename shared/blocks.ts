import { z } from 'zod';
import { exampleCursor, NextCursor, PageQuery } from './pages.ts';
import { example, GuildId, LongText, Snowflake, TimeInput, Timestamp } from './primitives.ts';
import { TicketType } from './tickets.ts';

const DiscordId = Snowflake.meta({ description: 'Who may not open tickets.', examples: [example.ownerId] });

const exampleBlock = {
  guildId: example.guildId,
  discordId: example.ownerId,
  ticketType: 'support',
  reason: 'Opened ten tickets in a minute.',
  expiresAt: example.later,
};
const exampleStored = { ...exampleBlock, createdAt: example.createdAt };

/** Who may not open tickets. */
export const Block = z
  .object({
    guildId: GuildId,
    discordId: DiscordId,
    ticketType: z.string().nullable().meta({ description: 'Null for every type.' }),
    reason: z.string().nullable(),
    expiresAt: Timestamp.nullable().meta({ description: 'Null where it does not end by itself.' }),
    createdAt: Timestamp,
  })
  .meta({ id: 'Block', description: 'Somebody who may not open tickets in a guild.', examples: [exampleStored] });
export type Block = z.output<typeof Block>;

const blocked = {
  guildId: GuildId,
  discordId: DiscordId,
  ticketType: TicketType.optional().meta({ description: 'Of this type only; every type where missing.' }),
};

export const CreateBlock = z
  .strictObject({
    ...blocked,
    reason: LongText.optional().meta({ description: 'Why, in 1 to 4,000 characters; told with each refusal.' }),
    expiresAt: TimeInput('When the block ends; never where missing.').optional(),
  })
  .meta({ override: { examples: [exampleBlock] } });
export const BlockResult = z
  .object({
    changed: z.boolean().meta({ description: 'False where this very block was there already.' }),
    block: Block,
  })
  .meta({ examples: [{ changed: true, block: exampleStored }] });

export const ListBlocks = z.strictObject({ guildId: GuildId, ...PageQuery });
export const BlockList = z
  .object({ blocks: z.array(Block), nextCursor: NextCursor })
  .meta({ examples: [{ blocks: [exampleStored], nextCursor: exampleCursor }] });

const { guildId, discordId, ticketType } = exampleBlock;
export const DeleteBlock = z.strictObject(blocked).meta({ examples: [{ guildId, discordId, ticketType }] });
