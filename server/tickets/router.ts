import {
  Ticket as ApiTicket,
  ClaimedTicket,
  ClaimerResult,
  ClaimState,
  ClaimTicket,
  ClosedTicket,
  CloseTicket,
  CreatedTicket,
  CreateTicket,
  IsClaimer,
  IsClaimerResult,
  TicketByName,
  TicketByShortId,
} from '@counterfoil/shared/tickets';
import type { Context } from '../context.ts';
import { TicketNotClaimed, TicketNotFound } from '../errors.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { readProcedure, router, writeProcedure } from '../trpc.ts';
import { knownUserId } from '../users/model.ts';
import { findByName } from './by-name.ts';
import { createTicket } from './create.ts';
import { commands, run } from './lifecycle.ts';
import { type ShownTicket, shown, Ticket, toApi } from './model.ts';

const tags = ['Tickets'];
const commandErrors = ['ticket_not_found', 'command_id_taken', 'version_mismatch'] as const;

async function findTicket({ key }: Context, shortId: string): Promise<ShownTicket> {
  const ticket = await Ticket.findOne({ shortId, ...inGuildsOf(key) }, shown).lean();
  if (!ticket) throw new TicketNotFound(shortId);
  return ticket;
}

/** Who claimed a ticket, and when; null where nobody did. */
function claimOf({ claimerId, claimedBy, claimedAt }: ShownTicket) {
  if (claimerId === null || claimedBy === null || claimedAt === null) return null;
  return { userId: claimerId, discordId: claimedBy, claimedAt: claimedAt.toISOString() };
}

export const ticketsRouter = router({
  create: writeProcedure(CreateTicket)
    .meta({
      openapi: {
        method: 'POST',
        path: '/tickets/create',
        tags,
        summary: 'Create a new ticket',
        description:
          'Repeating a create with the same `ticketId` and content answers `created: false` and the ticket as it is now.',
      },
      errors: ['ticket_id_taken', 'short_id_taken', 'name_taken'],
    })
    .output(CreatedTicket)
    .mutation(async ({ ctx, input }) => {
      const { created, ticket } = await createTicket(ctx, input);
      return { created, ticket: toApi(ticket) };
    }),

  close: writeProcedure(CloseTicket)
    .meta({
      openapi: {
        method: 'POST',
        path: '/tickets/close',
        tags,
        summary: 'Close a ticket',
        description: 'Closing a closed ticket answers `changed: false` and keeps the first closer and reason.',
      },
      errors: commandErrors,
    })
    .output(ClosedTicket)
    .mutation(async ({ ctx, input }) => {
      const { changed, ticket } = await run(ctx, commands.close, input);
      return { closed: true, changed, ticket: toApi(ticket) };
    }),

  claim: writeProcedure(ClaimTicket)
    .meta({
      openapi: {
        method: 'POST',
        path: '/tickets/claim',
        tags,
        summary: 'Claim a ticket',
        description: 'Of any number of simultaneous claims exactly one wins; the others learn who did.',
      },
      errors: [...commandErrors, 'ticket_already_claimed', 'ticket_closed'],
    })
    .output(ClaimedTicket)
    .mutation(async ({ ctx, input }) => {
      const { discordId } = input;
      const claimerId = await knownUserId(discordId);
      const { changed, ticket } = await run(ctx, commands.claim, input, { claimerId });
      return { claimed: true, changed, ticket: toApi(ticket), claimer: { userId: claimerId, discordId } };
    }),

  isClaimer: readProcedure(IsClaimer)
    .meta({
      openapi: {
        method: 'GET',
        path: '/tickets/is/claimer/{userId}/{shortId}',
        tags,
        summary: 'Is a specific user the claimer of a ticket',
        description: 'An unknown user is not the claimer; an unknown ticket is 404.',
      },
      errors: ['ticket_not_found'],
    })
    .output(IsClaimerResult)
    .query(async ({ ctx, input: { userId, shortId } }) => {
      const { claimerId, claimedBy } = await findTicket(ctx, shortId);
      return { isClaimer: userId === claimerId || userId === claimedBy };
    }),

  isClaimed: readProcedure(TicketByShortId)
    .meta({
      openapi: {
        method: 'GET',
        path: '/tickets/is/claimed/{shortId}',
        tags,
        summary: 'Is the ticket claimed, and by whom',
        description:
          'One answer for both documented uses of this path, "Is the ticket claimed" and "Get a tickets claimer": ' +
          '`claimed`, and the `claimer` with database and Discord id, or null.',
      },
      errors: ['ticket_not_found'],
    })
    .output(ClaimState)
    .query(async ({ ctx, input }) => {
      const claim = claimOf(await findTicket(ctx, input.shortId));
      if (!claim) return { claimed: false, claimer: null, claimedAt: null };
      const { claimedAt, ...claimer } = claim;
      return { claimed: true, claimer, claimedAt };
    }),

  getClaimer: readProcedure(TicketByShortId)
    .meta({
      openapi: { method: 'GET', path: '/tickets/get/claimer/{shortId}', tags, summary: "Get a ticket's claimer" },
      errors: ['ticket_not_found', 'ticket_not_claimed'],
    })
    .output(ClaimerResult)
    .query(async ({ ctx, input: { shortId } }) => {
      const claim = claimOf(await findTicket(ctx, shortId));
      if (!claim) throw new TicketNotClaimed(shortId);
      return claim;
    }),

  get: readProcedure(TicketByShortId)
    .meta({
      openapi: { method: 'GET', path: '/tickets/get/id/{shortId}', tags, summary: 'Get a ticket from a short id' },
      errors: ['ticket_not_found'],
    })
    .output(ApiTicket)
    .query(async ({ ctx, input: { shortId } }) => toApi(await findTicket(ctx, shortId))),

  getByName: readProcedure(TicketByName)
    .meta({
      openapi: {
        method: 'GET',
        path: '/tickets/get/name/{ticketName}',
        tags,
        summary: 'Get a ticket from a name',
        description:
          'The open ticket of that name, else the newest closed one; several guilds: say which by `guildId`.',
      },
      errors: ['ticket_not_found', 'ambiguous_name'],
    })
    .output(ApiTicket)
    .query(async ({ ctx, input }) => toApi(await findByName(ctx.key, input))),
});
