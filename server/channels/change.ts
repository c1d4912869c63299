import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { CreateTicketChannel, UpdateTicketChannel } from '@counterfoil/shared/channels';
import type { mongo } from 'mongoose';
import { recordChange } from '../audit/model.ts';
import type { Context } from '../context.ts';
import { inTransaction, oneAtATime } from '../database/transaction.ts';
import { findOrInsert } from '../database/unique.ts';
import { TicketChannelExists, TicketChannelNotFound } from '../errors.ts';
import { TicketChannel, type TicketChannelRecord } from './model.ts';

/** What the audit trail tells of a ticket type that comes or goes: what is set of it. */
function told({
  _id: _,
  guildId: _guild,
  ticketType: _type,
  createdAt: _created,
  updatedAt: _updated,
  ...settings
}: TicketChannelRecord) {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
}

/** Assigns a ticket type to a channel; throws TicketChannelExists where it has another one, or the id is in use. */
export async function createChannel(
  ctx: Context,
  { id = randomUUID(), guildId, ticketType, channelId }: CreateTicketChannel,
): Promise<{ created: boolean; channel: TicketChannelRecord }> {
  const now = new Date();
  const made = { _id: id, channelId, createdAt: now, updatedAt: now };
  const change = { action: 'channels.create', target: ticketType, guildIds: [guildId], before: null } as const;
  const record = (channel: TicketChannelRecord, session: mongo.ClientSession) =>
    recordChange(ctx, { ...change, after: told(channel) }, session);
  const found = await oneAtATime(`channel ${guildId}:${ticketType}`, () =>
    findOrInsert(TicketChannel, { guildId, ticketType }, made, record),
  );
  if (found?.record.channelId !== channelId) throw new TicketChannelExists();
  return { created: found.created, channel: found.record };
}

/** Changes what is given of a ticket type; throws TicketChannelNotFound. */
export async function updateChannel(
  ctx: Context,
  { guildId, ticketType, ...fields }: UpdateTicketChannel,
): Promise<{ changed: boolean; channel: TicketChannelRecord }> {
  return inTransaction(async (session) => {
    const channel = await TicketChannel.findOne({ guildId, ticketType }).session(session).lean();
    if (!channel) throw new TicketChannelNotFound(ticketType, guildId);
    const stored = new Map<string, unknown>(Object.entries(channel));
    const wanted = Object.entries(fields).filter(
      ([name, value]) => value !== undefined && !isDeepStrictEqual(value, stored.get(name)),
    );
    if (wanted.length === 0) return { changed: false, channel };
    const after = Object.fromEntries(wanted);
    const before = Object.fromEntries(wanted.map(([name]) => [name, stored.get(name)]));
    const set = { ...after, updatedAt: new Date() };
    await TicketChannel.updateOne({ _id: channel._id }, { $set: set }, { session });
    const change = { action: 'channels.update', target: ticketType, guildIds: [guildId] } as const;
    await recordChange(ctx, { ...change, before, after }, session);
    return { changed: true, channel: { ...channel, ...set } };
  });
}

/** Forgets a ticket type; answers whether it was there. */
export async function deleteChannel(
  ctx: Context,
  { guildId, ticketType }: { guildId: string; ticketType: string },
): Promise<boolean> {
  return inTransaction(async (session) => {
    const channel = await TicketChannel.findOneAndDelete({ guildId, ticketType }, { session, lean: true });
    if (!channel) return false;
    const change = { action: 'channels.delete', target: ticketType, guildIds: [guildId], after: null } as const;
    await recordChange(ctx, { ...change, before: told(channel) }, session);
    return true;
  });
}
