import { Eligibility, EligibilityQuery } from '@counterfoil/shared/eligibility';
import type { ErrorType } from '@counterfoil/shared/errors';
import { History, HistoryQuery } from '@counterfoil/shared/history';
import { CountTickets, ListTickets, TicketCount, TicketList } from '@counterfoil/shared/list';
import { AddedNote, AddNote, Notes } from '@counterfoil/shared/notes';
import { Deleted } from '@counterfoil/shared/results';
import {
  Ticket as ApiTicket,
  ClaimedTicket,
  ClaimerResult,
  ClaimState,
  ClaimTicket,
  ClosedTicket,
  CloseTicket,
  CommandResult,
  CreatedTicket,
  CreateTicket,
  DeleteTicket,
  IsClaimer,
  IsClaimerResult,
  ParticipantInput,
  RateTicket,
  ReopenTicket,
  TicketByName,
  TicketByShortId,
  TransferTicket,
  UnclaimTicket,
  UpdateTicket,
} from '@counterfoil/shared/tickets';
import type { z } from 'zod';
import { makeCursor, readCursor } from '../database/cursor.ts';
import { TicketNotClaimed, TicketNotFound } from '../errors.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { adminProcedure, readProcedure, router, writeProcedure } from '../trpc.ts';
import { knownUserId } from '../users/model.ts';
import { findByName } from './by-name.ts';
import { createTicket } from './create.ts';
import { deleteTicket } from './delete.ts';
import { checkEligibility } from './eligibility.ts';
import { findTicket } from './find.ts';
import { entryToApi, intervalToApi, readHistory } from './history.ts';
import { type Command, type CommandInput, commands, run } from './lifecycle.ts';
import { countTickets, listTickets } from './list.ts';
import { type ShownTicket, Ticket, toApi } from './model.ts';
import { addNote, listNotes } from './notes.ts';

const tags = ['Tickets'];
const commandErrors = ['ticket_not_found', 'command_id_taken', 'version_mismatch'] as const;

/** Who claimed a ticket, and when; null where nobody did. */
function claimOf({ claimerId, claimedBy, claimedAt }: ShownTicket) {
  if (claimerId === null || claimedBy === null || claimedAt === null) return null;
  return { userId: claimerId, discordId: claimedBy, claimedAt: claimedAt.toISOString() };
}

/**
 * A command whose answer is `{ changed, ticket }`: one row of the table of commands. The cast holds because tRPC hands on
 * what `input` has parsed; it only cannot infer that for a schema that is not known yet.
 */
function command<Input extends z.ZodType<CommandInput>>(
  input: Input,
  row: Command<z.output<Input>>,
  { errors, ...openapi }: { path: `/${string}`; summary: string; description?: string; errors: readonly ErrorType[] },
) {
  return writeProcedure(input)
    .meta({ openapi: { method: 'POST', tags, ...openapi }, errors: [...commandErrors, ...errors] })
    .output(CommandResult)
    .mutation(async ({ ctx, input: given }) => {
      const { changed, ticket } = await run(ctx, row, given as z.output<Input>);
      return { changed, ticket: toApi(ticket) };
    });
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
      errors: ['ticket_id_taken', 'short_id_taken', 'name_taken', 'owner_blocked', 'owner_limit_reached', 'cooldown'],
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

  list: readProcedure(ListTickets)
    .meta({
      openapi: {
        method: 'GET',
        path: '/tickets',
        tags,
        summary: 'List tickets',
        description:
          'By pages: send the `nextCursor` of one as the `cursor` of the next. Sorted by creation, each ticket that ' +
          'exists and matches throughout is seen exactly once; sorted by change, one changed meanwhile moves to the front.',
      },
    })
    .output(TicketList)
    .query(async ({ ctx, input }) => {
      const { tickets, ...page } = await listTickets(ctx.key, input);
      return { tickets: tickets.map(toApi), ...page };
    }),

  count: readProcedure(CountTickets)
    .meta({
      openapi: { method: 'GET', path: '/tickets/count', tags, summary: 'Count tickets', description: 'Up to 10,000.' },
    })
    .output(TicketCount)
    .query(({ ctx, input }) => countTickets(ctx.key, input)),

  eligibility: readProcedure(EligibilityQuery)
    .meta({
      openapi: {
        method: 'GET',
        path: '/tickets/eligibility',
        tags,
        summary: 'May somebody open a ticket of this type now',
        description: 'To ask before a form is shown. A create decides for itself, and may find things changed.',
      },
    })
    .output(Eligibility)
    .query(({ input: { discordId: ticketOwner, ...type } }) => checkEligibility({ ...type, ticketOwner })),

  unclaim: command(UnclaimTicket, commands.unclaim, {
    path: '/tickets/unclaim',
    summary: 'Give a claimed ticket back',
    errors: ['ticket_closed', 'not_the_claimer'],
  }),

  transfer: writeProcedure(TransferTicket)
    .meta({
      openapi: { method: 'POST', path: '/tickets/transfer', tags, summary: 'Give a claimed ticket to someone else' },
      errors: [...commandErrors, 'ticket_closed', 'ticket_not_claimed'],
    })
    .output(CommandResult)
    .mutation(async ({ ctx, input }) => {
      const claimerId = await knownUserId(input.discordId);
      const { changed, ticket } = await run(ctx, commands.transfer, input, { claimerId });
      return { changed, ticket: toApi(ticket) };
    }),

  reopen: command(ReopenTicket, commands.reopen, {
    path: '/tickets/reopen',
    summary: 'Open a closed ticket again',
    description:
      'Keeps the claim; the name must be free among the open tickets of the guild, and the limit is checked again.',
    errors: ['name_taken', 'owner_limit_reached'],
  }),

  update: command(UpdateTicket, commands.update, {
    path: '/tickets/update',
    summary: 'Change fields of a ticket',
    description: 'Null clears. A closed ticket lets `ticketData`, `labels`, `priority` and `channelId` change.',
    errors: ['ticket_closed', 'name_taken', 'owner_limit_reached'],
  }),

  addParticipant: command(ParticipantInput, commands.addParticipant, {
    path: '/tickets/participants/add',
    summary: 'Add a participant',
    errors: ['ticket_closed'],
  }),

  removeParticipant: command(ParticipantInput, commands.removeParticipant, {
    path: '/tickets/participants/remove',
    summary: 'Remove a participant',
    errors: ['ticket_closed'],
  }),

  rate: command(RateTicket, commands.rate, {
    path: '/tickets/rate',
    summary: 'Rate a closed ticket',
    description: "The owner's, once the ticket is closed; may be replaced.",
    errors: ['not_the_owner', 'ticket_not_closed'],
  }),

  delete: adminProcedure(DeleteTicket)
    .meta({
      openapi: {
        method: 'POST',
        path: '/tickets/delete',
        tags,
        summary: 'Delete a ticket',
        description: 'With its notes and its history, for good. Its number is not used again.',
      },
      errors: ['version_mismatch'],
    })
    .output(Deleted)
    .mutation(async ({ ctx, input }) => ({ changed: await deleteTicket(ctx.key, input) })),

  addNote: writeProcedure(AddNote)
    .meta({
      openapi: {
        method: 'POST',
        path: '/tickets/notes/add',
        tags,
        summary: 'Add a note for the staff',
        description: 'The same `noteId` with the same author and text answers `changed: false`.',
      },
      errors: ['ticket_not_found', 'note_id_taken'],
    })
    .output(AddedNote)
    .mutation(async ({ ctx, input }) => addNote(await findTicket(ctx, input.shortId), input, ctx.key.keyId)),

  notes: readProcedure(TicketByShortId)
    .meta({
      openapi: {
        method: 'GET',
        path: '/tickets/notes/{shortId}',
        tags,
        summary: 'The notes of a ticket, oldest first',
      },
      errors: ['ticket_not_found'],
    })
    .output(Notes)
    .query(async ({ ctx, input }) => ({ notes: await listNotes((await findTicket(ctx, input.shortId))._id) })),

  history: readProcedure(HistoryQuery)
    .meta({
      openapi: {
        method: 'GET',
        path: '/tickets/history/{shortId}',
        tags,
        summary: 'Every change of a ticket, oldest first',
        description: 'By pages. `claimIntervals` tells who had claimed the ticket, and when, while it was open.',
      },
      errors: ['ticket_not_found'],
    })
    .output(History)
    .query(async ({ ctx, input }) => {
      const { shortId, limit, cursor } = input;
      const ticket = await Ticket.findOne({ shortId, ...inGuildsOf(ctx.key) }).lean();
      if (!ticket) throw new TicketNotFound(shortId);
      const query = { history: ticket._id };
      const [after] = cursor === undefined ? [0] : await readCursor<[number]>(query, cursor);
      const page = await readHistory(ticket, after, limit);
      const last = page.at(-1)?.seq ?? ticket.version;
      return {
        history: page.map(entryToApi),
        nextCursor: last < ticket.version ? await makeCursor(query, [last]) : null,
        claimIntervals: ticket.claimIntervals.map(intervalToApi),
      };
    }),
});
