import { randomUUID } from 'node:crypto';
import type { ChannelLine } from '@counterfoil/shared/transfer';
import { inScope, insertEach, type Outcome, pagesById, type Scope } from '../transfer/lines.ts';
import { TicketChannel, toApi } from './model.ts';

/** The ticket channels as lines, by id. */
export async function* exportChannels(scope: Scope, after: ChannelLine | null): AsyncGenerator<object> {
  for await (const channels of pagesById(TicketChannel, inScope(scope), scope, after?.id)) {
    for (const channel of channels) yield { kind: 'channel', ...toApi(channel) };
  }
}

/** Assigns ticket channels; an assignment that is there stays as it is, and another channel for it is refused. */
export async function importChannels(lines: ChannelLine[]): Promise<Outcome[]> {
  const records = lines.map(({ kind: _, id, createdAt, updatedAt, ...line }) => ({
    _id: id ?? randomUUID(),
    ticketType: line.ticketType,
    guildId: line.guildId,
    channelId: line.channelId,
    displayName: line.displayName ?? null,
    maxOpenPerOwner: line.maxOpenPerOwner ?? null,
    cooldownSeconds: line.cooldownSeconds ?? null,
    requireCloseReason: line.requireCloseReason ?? null,
    staffRoleIds: line.staffRoleIds ?? null,
    createdAt: createdAt ?? new Date(),
    updatedAt: updatedAt ?? createdAt ?? new Date(),
  }));
  const refusals = await insertEach(TicketChannel, records);
  return Promise.all(
    lines.map(async ({ guildId, ticketType, channelId }, place): Promise<Outcome> => {
      if (!refusals[place]) return 'imported';
      const assigned = await TicketChannel.findOne({ guildId, ticketType }).lean();
      if (assigned?.channelId === channelId) return 'present';
      return { problem: assigned ? `channelId: ${assigned.channelId} is assigned already` : 'id: is another channel' };
    }),
  );
}
