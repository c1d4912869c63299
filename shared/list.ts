import { z } from 'zod';
import { exampleCursor, NextCursor, PageQuery } from './pages.ts';
import { example, GuildId, limits, lineText, Snowflake, TimeInput } from './primitives.ts';
import { exampleClaimed, Label, Priority, Ticket, TicketType } from './tickets.ts';

/** The filters of lists and counts; all that are given must match. */
const filters = {
  guildId: GuildId.optional(),
  ticketType: TicketType.optional(),
  status: z
    .enum(['open', 'closed'], { error: 'Expected open or closed' })
    .meta({ description: 'Open or closed tickets only.', examples: ['open'] })
    .optional(),
  ticketOwner: Snowflake.meta({ description: "The owner's Discord id.", examples: [example.ownerId] }).optional(),
  claimedBy: z
    .union([Snowflake, z.literal('none')], { error: 'Expected a Discord id, or none for unclaimed' })
    .meta({ description: "The claimer's Discord id, or `none` for unclaimed tickets.", examples: [example.claimerId] })
    .optional(),
  channelId: Snowflake.meta({
    description: "The ticket's own Discord channel or thread.",
    examples: [example.channelId],
  }).optional(),
  label: Label.meta({ description: 'One of the labels.' }).optional(),
  priority: Priority.meta({ description: 'The priority.' }).optional(),
  createdAfter: TimeInput('Created later than this.').optional(),
  createdBefore: TimeInput('Created earlier than this.').optional(),
  q: lineText(200)
    .meta({
      description:
        `Up to ${limits.searchWords} words, all of which must occur in the name, the close reason or the texts of ` +
        '`ticketData` (its first 2 KiB); needs `guildId`. ' +
        `The newest ${limits.searchMatches.toLocaleString('en')} matches are looked at.`,
      examples: ['billing'],
    })
    .optional(),
};

/** A search needs a guild, and words to look for. */
function checkSearch(
  { q, guildId }: { q?: string | undefined; guildId?: string | undefined },
  context: z.RefinementCtx,
) {
  if (q === undefined) return;
  const refuse = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
  const words = q.match(/[\p{L}\p{M}\p{N}]+/gu)?.length ?? 0;
  if (guildId === undefined) refuse('guildId', 'Required with q');
  if (words === 0) refuse('q', 'Expected at least one word');
  if (words > limits.searchWords) refuse('q', `At most ${limits.searchWords} words`);
}

export const ListTickets = z
  .strictObject({
    ...filters,
    sort: z
      .enum(['newest', 'oldest', 'updated'], { error: 'Expected newest, oldest or updated' })
      .meta({ description: 'By creation, or by the last change (latest first).', examples: ['newest'] })
      .default('newest'),
    ...PageQuery,
  })
  .superRefine(checkSearch);
export type ListTickets = z.output<typeof ListTickets>;
export const TicketList = z
  .object({
    tickets: z.array(Ticket),
    nextCursor: NextCursor,
    truncated: z
      .boolean()
      .optional()
      .meta({ description: 'With `q`: whether there were more matches than looked at.' }),
  })
  .meta({ examples: [{ tickets: [exampleClaimed], nextCursor: exampleCursor }] });

export const CountTickets = z.strictObject(filters).superRefine(checkSearch);
export type CountTickets = z.output<typeof CountTickets>;
export const TicketCount = z
  .object({
    count: z.int().meta({ description: 'At most 10,000.' }),
    exact: z.boolean().meta({ description: 'False where there are more than counted.' }),
  })
  .meta({ examples: [{ count: 42, exact: true }] });
