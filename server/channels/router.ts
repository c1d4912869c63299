import { randomUUID } from 'node:crypto';
import {
  TicketChannel as ApiTicketChannel,
  CreatedTicketChannel,
  CreateTicketChannel,
  TicketChannelByType,
} from '@counterfoil/shared/channels';
import { findOrInsert } from '../database/unique.ts';
import { TicketChannelExists, TicketChannelNotFound } from '../errors.ts';
import { readProcedure, router, writeProcedure } from '../trpc.ts';
import { TicketChannel, toApi } from './model.ts';

const tags = ['Ticket channels'];

export const channelsRouter = router({
  create: writeProcedure(CreateTicketChannel)
    .meta({
      openapi: {
        method: 'POST',
        path: '/tickets/create/channel',
        tags,
        summary: 'Create a new ticket channel',
        description: 'Assigns a ticket type to a Discord channel. The same assignment again answers `created: false`.',
      },
      errors: ['ticket_channel_exists'],
    })
    .output(CreatedTicketChannel)
    .mutation(async ({ input }) => {
      const { id = randomUUID(), guildId, ticketType, channelId } = input;
      const now = new Date();
      const made = { _id: id, channelId, createdAt: now, updatedAt: now };
      const found = await findOrInsert(TicketChannel, { guildId, ticketType }, made);
      if (found?.record.channelId !== channelId) throw new TicketChannelExists();
      return { created: found.created, channel: toApi(found.record) };
    }),

  get: readProcedure(TicketChannelByType)
    .meta({
      openapi: {
        method: 'GET',
        path: '/tickets/get/channel/{ticketType}/{guildId}',
        tags,
        summary: "Get a ticket type's channel",
      },
      errors: ['ticket_channel_not_found'],
    })
    .output(ApiTicketChannel)
    .query(async ({ input: { ticketType, guildId } }) => {
      const channel = await TicketChannel.findOne({ guildId, ticketType }).lean();
      if (!channel) throw new TicketChannelNotFound(ticketType, guildId);
      return toApi(channel);
    }),
});
