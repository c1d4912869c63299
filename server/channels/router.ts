import {
  TicketChannel as ApiTicketChannel,
  CreatedTicketChannel,
  CreateTicketChannel,
  DeleteTicketChannel,
  TicketChannelByType,
  TicketChannelList,
  TicketChannelsOfGuild,
  UpdatedTicketChannel,
  UpdateTicketChannel,
} from '@counterfoil/shared/channels';
import { Deleted } from '@counterfoil/shared/results';
import { TicketChannelNotFound } from '../errors.ts';
import { readProcedure, router, writeProcedure } from '../trpc.ts';
import { createChannel, deleteChannel, updateChannel } from './change.ts';
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
    .mutation(async ({ ctx, input }) => {
      const { created, channel } = await createChannel(ctx, input);
      return { created, channel: toApi(channel) };
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

  list: readProcedure(TicketChannelsOfGuild)
    .meta({
      openapi: { method: 'GET', path: '/tickets/get/channels/{guildId}', tags, summary: 'The ticket types of a guild' },
    })
    .output(TicketChannelList)
    .query(async ({ input: { guildId } }) => {
      const channels = await TicketChannel.find({ guildId }).sort({ ticketType: 1 }).lean();
      return { channels: channels.map(toApi) };
    }),

  update: writeProcedure(UpdateTicketChannel)
    .meta({
      openapi: {
        method: 'POST',
        path: '/tickets/update/channel',
        tags,
        summary: 'Change the channel or the settings of a ticket type',
        description: 'Null clears. A limit that is set or lowered leaves the tickets that are open already.',
      },
      errors: ['ticket_channel_not_found'],
    })
    .output(UpdatedTicketChannel)
    .mutation(async ({ ctx, input }) => {
      const { changed, channel } = await updateChannel(ctx, input);
      return { changed, channel: toApi(channel) };
    }),

  delete: writeProcedure(DeleteTicketChannel)
    .meta({
      openapi: {
        method: 'POST',
        path: '/tickets/delete/channel',
        tags,
        summary: 'Forget the channel and the settings of a ticket type',
        description: 'Its tickets stay as they are.',
      },
    })
    .output(Deleted)
    .mutation(async ({ ctx, input }) => ({ changed: await deleteChannel(ctx, input) })),
});
