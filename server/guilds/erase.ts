import type { Erased } from '@counterfoil/shared/results';
import { Block } from '../blocks/model.ts';
import { deleteChannel } from '../channels/change.ts';
import { TicketChannel } from '../channels/model.ts';
import type { Context } from '../context.ts';
import { erasureBudget } from '../database/connect.ts';
import { deleteTickets } from '../tickets/delete.ts';
import { ArchivedHistory } from '../tickets/history.ts';
import { forgetTurns } from '../tickets/limits.ts';
import { Ticket } from '../tickets/model.ts';
import { Note } from '../tickets/notes.ts';

const batchSize = 500;

/** Deletes what is stored of a guild, but the audit trail and its counter of ticket numbers: none is ever used again. */
export async function eraseGuild(ctx: Context, guildId: string): Promise<Erased> {
  const giveUpAt = performance.now() + erasureBudget;
  let tickets = 0;
  for (;;) {
    const batch = await Ticket.find({ guildId }, { _id: 1 }).limit(batchSize).lean();
    if (batch.length === 0) break;
    tickets += await deleteTickets(batch.map(({ _id }) => _id));
    if (performance.now() > giveUpAt) return { changed: true, done: false, tickets };
  }
  const channels = await TicketChannel.find({ guildId }, { ticketType: 1 }).lean();
  for (const { ticketType } of channels) await deleteChannel(ctx, { guildId, ticketType });
  const [blocks] = await Promise.all([
    Block.deleteMany({ guildId }),
    Note.deleteMany({ guildId }),
    ArchivedHistory.deleteMany({ guildId }),
    forgetTurns({ $gte: `${guildId}:`, $lt: `${guildId};` }),
  ]);
  return { changed: tickets + channels.length + blocks.deletedCount > 0, done: true, tickets };
}
