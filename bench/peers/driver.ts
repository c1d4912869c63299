import { randomUUID } from 'node:crypto';
import type { BlockRecord } from 'counterfoil/blocks/model';
import type { TicketChannelRecord } from 'counterfoil/channels/model';
import type { KeyRecord } from 'counterfoil/keys/model';
import type { ShownTicket, TicketRecord } from 'counterfoil/tickets/model';
import type { UserRecord } from 'counterfoil/users/model';
import { MongoClient } from 'mongodb';
import {
  databaseOptions,
  hidden,
  inGuildsOf,
  newTicket,
  Refusal,
  requireWrite,
  type Store,
  toApi,
} from './documents.ts';

/** The work of a peer by the driver alone: lean documents with projections, one atomic update a claim. */
export async function openByDriver(uri: string): Promise<Store> {
  const client = await new MongoClient(uri, databaseOptions).connect();
  const database = client.db();
  const tickets = database.collection<TicketRecord>('tickets');
  const users = database.collection<UserRecord>('users');
  const counters = database.collection<{ _id: string; tickets: number }>('counters');
  const channels = database.collection<TicketChannelRecord>('ticketChannels');
  const blocks = database.collection<BlockRecord>('blocks');
  const keys = database.collection<KeyRecord>('keys');
  const shown = { projection: hidden };

  async function userIdOf(discordId: string): Promise<string> {
    const known = await users.findOne({ discordId }, { projection: { _id: 1 } });
    if (known) return known._id;
    const made = { _id: randomUUID(), displayName: null, createdAt: new Date() };
    const user = await users.findOneAndUpdate(
      { discordId },
      { $setOnInsert: made },
      { upsert: true, returnDocument: 'after' },
    );
    return user?._id ?? made._id;
  }

  async function takeNumber(guildId: string): Promise<number> {
    // This service keeps more in a counter, which is none of a peer's work.
    const counter = await counters.findOneAndUpdate(
      { _id: guildId },
      { $inc: { tickets: 1 } },
      { upsert: true, returnDocument: 'after', projection: { tickets: 1 } },
    );
    return counter?.tickets ?? 1;
  }

  return {
    findKey: (keyId) => keys.findOne({ _id: keyId }),

    async read(key, shortId) {
      const ticket = await tickets.findOne<ShownTicket>({ shortId, ...inGuildsOf(key) }, shown);
      if (!ticket) throw new Refusal(404, 'ticket_not_found');
      return toApi(ticket);
    },

    async create(key, input) {
      const { guildId, ticketType, ticketOwner } = input;
      requireWrite(key, guildId);
      const ofType = { guildId, discordId: ticketOwner, ticketType: { $in: [null, ticketType] } };
      const inForce = { $or: [{ expiresAt: null }, { expiresAt: { $gt: new Date() } }] };
      const [settings, block] = await Promise.all([
        channels.findOne({ guildId, ticketType }),
        blocks.findOne({ ...ofType, ...inForce }),
      ]);
      if (block) throw new Refusal(403, 'owner_blocked');
      if (settings?.maxOpenPerOwner != null) {
        const open = await tickets.countDocuments({ guildId, ticketOwner, ticketType, closed: false });
        if (open >= settings.maxOpenPerOwner) throw new Refusal(409, 'owner_limit_reached');
      }
      const ticket = newTicket(key._id, input, await takeNumber(guildId));
      await tickets.insertOne(ticket);
      return { created: true, ticket: toApi(ticket) };
    },

    async claim(key, { shortId, discordId }) {
      requireWrite(key);
      const userId = await userIdOf(discordId);
      const claimer = { userId, discordId };
      const visible = { shortId, ...inGuildsOf(key) };
      const entry = {
        seq: { $add: ['$version', 1] },
        type: 'claim',
        at: '$$NOW',
        actorId: discordId,
        keyId: { $literal: key._id },
        commandId: null,
        inputHash: null,
        before: { claimedBy: '$claimedBy', claimedAt: '$claimedAt' },
        after: { claimedBy: discordId, claimedAt: '$$NOW' },
      };
      const interval = { claimer: discordId, from: '$$NOW', to: null, endReason: null };
      const ticket = await tickets.findOneAndUpdate(
        { ...visible, closed: false, claimedBy: null },
        [
          {
            $set: {
              history: { $concatArrays: ['$history', [entry]] },
              claimIntervals: { $concatArrays: ['$claimIntervals', [interval]] },
              claimedBy: discordId,
              claimedAt: '$$NOW',
              claimerId: userId,
              version: { $add: ['$version', 1] },
              updatedAt: '$$NOW',
            },
          },
          { $set: { historyBytes: { $bsonSize: { history: '$history' } } } },
        ],
        { ...shown, returnDocument: 'after' },
      );
      if (ticket) return { claimed: true, changed: true, ticket: toApi(ticket), claimer };
      const found = await tickets.findOne<ShownTicket>(visible, shown);
      if (!found) throw new Refusal(404, 'ticket_not_found');
      if (found.claimedBy === discordId) return { claimed: true, changed: false, ticket: toApi(found), claimer };
      throw new Refusal(409, found.closed ? 'ticket_closed' : 'ticket_already_claimed');
    },
  };
}
