import { type mongo, trusted } from 'mongoose';
import { inTransaction } from '../database/transaction.ts';
import { VersionMismatch } from '../errors.ts';
import type { Principal } from '../keys/authenticate.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { ArchivedHistory } from './history.ts';
import type { CommandInput } from './lifecycle.ts';
import { Ticket } from './model.ts';
import { Note } from './notes.ts';

/** Deletes the notes and the archived history of tickets. */
async function deleteBelongings(ticketIds: string[], session: mongo.ClientSession | null = null): Promise<void> {
  const ofTickets = { ticketId: trusted({ $in: ticketIds }) };
  await Note.deleteMany(ofTickets).session(session);
  await ArchivedHistory.deleteMany(ofTickets).session(session);
}

/** Deletes a ticket with its notes and its history, all at once; whether there was one. Throws VersionMismatch. */
export async function deleteTicket(key: Principal, { shortId, expectedVersion }: CommandInput): Promise<boolean> {
  const deleted = await inTransaction(async (session) => {
    const ticket = await Ticket.findOne({ shortId, ...inGuildsOf(key) }, { version: 1 })
      .session(session)
      .lean();
    if (!ticket) return null;
    if (expectedVersion !== undefined && expectedVersion !== ticket.version) throw new VersionMismatch(ticket.version);
    await Ticket.deleteOne({ _id: ticket._id }, { session });
    await deleteBelongings([ticket._id], session);
    return ticket._id;
  });
  // A note that was added meanwhile, and had not seen that the ticket was gone.
  if (deleted !== null) await Note.deleteMany({ ticketId: deleted });
  return deleted !== null;
}

/** Deletes tickets by their ids, what belongs to them first: whoever is stopped in between can begin again. */
export async function deleteTickets(ticketIds: string[]): Promise<number> {
  await deleteBelongings(ticketIds);
  return (await Ticket.deleteMany({ _id: trusted({ $in: ticketIds }) })).deletedCount;
}
