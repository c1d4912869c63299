import { mongo } from 'mongoose';
import type { Call } from './history.ts';

interface StoredTicket {
  _id: string;
  shortId: string;
  claimedBy: string | null;
  closed: boolean;
  history: { commandId: string | null }[];
}

/** Whether what a client was told is in the database. */
function isThere({ op, input }: Call, ticket: StoredTicket | undefined, notes: Set<unknown>): boolean {
  if (op === 'note') return notes.has(input.noteId);
  if (!ticket) return false;
  if (op === 'create') return ticket._id === input.ticketId;
  const entries = ticket.history.filter(({ commandId }) => commandId === input.commandId);
  if (entries.length !== 1) return false;
  return op === 'close' ? ticket.closed : ticket.claimedBy === input.discordId;
}

/**
 * The acknowledged creates, claims, notes and closes of a history of lives that a majority of the members does not have,
 * or has more than once; looked up in the database itself.
 */
export async function missingOf(calls: Call[], uri: string): Promise<Call[]> {
  const client = new mongo.MongoClient(uri, { readConcernLevel: 'majority' });
  try {
    const found = await client.db().collection<StoredTicket>('tickets').find().toArray();
    const tickets = new Map(found.map((ticket) => [ticket.shortId, ticket]));
    const notes = new Set(
      (await client.db().collection('notes').find().project({ _id: 1 }).toArray()).map(({ _id }) => _id),
    );
    const acknowledged = calls.filter(({ outcome }) => outcome === 'ok');
    return acknowledged.filter((call) => !isThere(call, tickets.get(call.ticket), notes));
  } finally {
    await client.close();
  }
}
