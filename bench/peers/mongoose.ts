import { randomUUID } from 'node:crypto';
import { Block } from 'counterfoil/blocks/model';
import { TicketChannel } from 'counterfoil/channels/model';
import { Key } from 'counterfoil/keys/model';
import { Ticket } from 'counterfoil/tickets/model';
import { Counter } from 'counterfoil/tickets/numbers';
import { User } from 'counterfoil/users/model';
import mongoose, { mongo } from 'mongoose';
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

/** The work of a peer as Mongoose is mostly used: documents that are found, changed and saved, as long as nobody else has. */
export async function openByMongoose(uri: string): Promise<Store> {
  await mongoose.connect(uri, { ...databaseOptions, autoIndex: false, autoCreate: false });

  async function userIdOf(discordId: string): Promise<string> {
    const known = await User.findOne({ discordId });
    if (known) return known._id;
    const made = { _id: randomUUID(), displayName: null, createdAt: new Date() };
    const user = await User.findOneAndUpdate(
      { discordId },
      { $setOnInsert: made },
      { upsert: true, returnDocument: 'after' },
    );
    return user?._id ?? made._id;
  }

  async function takeNumber(guildId: string): Promise<number> {
    // This service keeps more in a counter, which is none of a peer's work.
    const counter = await Counter.findOneAndUpdate(
      { _id: guildId },
      { $inc: { tickets: 1 } },
      { upsert: true, returnDocument: 'after', projection: { tickets: 1 } },
    );
    return counter?.tickets ?? 1;
  }

  return {
    findKey: (keyId) => Key.findById(keyId),

    async read(key, shortId) {
      const ticket = await Ticket.findOne({ shortId, ...inGuildsOf(key) }, hidden);
      if (!ticket) throw new Refusal(404, 'ticket_not_found');
      return toApi(ticket);
    },

    async create(key, input) {
      const { guildId, ticketType, ticketOwner } = input;
      requireWrite(key, guildId);
      const ofType = { guildId, discordId: ticketOwner, ticketType: { $in: [null, ticketType] } };
      const inForce = { $or: [{ expiresAt: null }, { expiresAt: { $gt: new Date() } }] };
      const [settings, block] = await Promise.all([
        TicketChannel.findOne({ guildId, ticketType }),
        Block.findOne({ ...ofType, ...inForce }),
      ]);
      if (block) throw new Refusal(403, 'owner_blocked');
      if (settings?.maxOpenPerOwner != null) {
        const open = await Ticket.countDocuments({ guildId, ticketOwner, ticketType, closed: false });
        if (open >= settings.maxOpenPerOwner) throw new Refusal(409, 'owner_limit_reached');
      }
      const ticket = await Ticket.create(newTicket(key._id, input, await takeNumber(guildId)));
      return { created: true, ticket: toApi(ticket) };
    },

    async claim(key, { shortId, discordId }) {
      requireWrite(key);
      const userId = await userIdOf(discordId);
      const claimer = { userId, discordId };
      const ticket = await Ticket.findOne({ shortId, ...inGuildsOf(key) });
      if (!ticket) throw new Refusal(404, 'ticket_not_found');
      if (ticket.closed) throw new Refusal(409, 'ticket_closed');
      if (ticket.claimedBy === discordId) return { claimed: true, changed: false, ticket: toApi(ticket), claimer };
      if (ticket.claimedBy !== null) throw new Refusal(409, 'ticket_already_claimed');
      const at = new Date();
      const before = { claimedBy: ticket.claimedBy, claimedAt: ticket.claimedAt };
      const after = { claimedBy: discordId, claimedAt: at };
      const seq = ticket.version + 1;
      const entry = { seq, type: 'claim', at, actorId: discordId, keyId: key._id, commandId: null } as const;
      // Whoever else has changed it meanwhile wins.
      ticket.$where = { version: ticket.version };
      ticket.history.push({ ...entry, inputHash: null, before, after });
      ticket.claimIntervals.push({ claimer: discordId, from: at, to: null, endReason: null });
      const historyBytes = mongo.BSON.calculateObjectSize({ history: ticket.toObject().history });
      ticket.set({ ...after, claimerId: userId, version: seq, updatedAt: at, historyBytes });
      await ticket.save().catch((error: unknown) => {
        throw error instanceof mongoose.Error.DocumentNotFoundError
          ? new Refusal(409, 'ticket_already_claimed')
          : error;
      });
      return { claimed: true, changed: true, ticket: toApi(ticket), claimer };
    },
  };
}
