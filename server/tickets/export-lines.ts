import { changedFields, type TicketLine } from '@counterfoil/shared/transfer';
import { trusted } from 'mongoose';
import { behind } from '../database/cursor.ts';
import { concernOf, inOrder, inScope, type Scope } from '../transfer/lines.ts';
import { ArchivedHistory } from './history.ts';
import { type HistoryEntry, Ticket, type TicketRecord, toApi } from './model.ts';
import { Note, type NoteRecord } from './notes.ts';

const pageSize = 100;
const oldest = { field: 'createdAt', direction: 1 } as const;

/** The tickets as lines, the oldest first: a ticket that is created meanwhile comes behind. */
export async function* exportTickets(scope: Scope, after: TicketLine | null): AsyncGenerator<object> {
  const index = { ...(scope.guildId !== null && { guildId: 1 }), createdAt: -1, _id: -1 } as const;
  let position = after?.ticketId && after.createdAt ? behind(oldest, [after.createdAt.getTime(), after.ticketId]) : {};
  for (;;) {
    const page = await Ticket.find({ $and: [inScope(scope), position] })
      .sort({ createdAt: 1, _id: 1 })
      .hint(index)
      .limit(pageSize)
      .session(scope.session)
      .readConcern(concernOf(scope))
      .lean<TicketRecord[]>();
    const notes = await notesOf(page, scope);
    for (const ticket of page) {
      const archived = await archivedOf(ticket, scope);
      // Deleted since the page was read: its history goes first.
      if (archived.length < ticket.archivedTo && !(await Ticket.exists({ _id: ticket._id }))) continue;
      yield lineOf(ticket, archived, notes.get(ticket._id) ?? []);
      position = behind(oldest, [ticket.createdAt.getTime(), ticket._id]);
    }
    if (page.length < pageSize) return;
  }
}

async function notesOf(tickets: TicketRecord[], scope: Scope): Promise<Map<string, NoteRecord[]>> {
  const notes = await Note.find({ ticketId: trusted({ $in: tickets.map(({ _id }) => _id) }) })
    .sort({ ticketId: 1, createdAt: 1, _id: 1 })
    .session(scope.session)
    .readConcern(concernOf(scope))
    .lean();
  const byTicket = new Map<string, NoteRecord[]>();
  for (const note of notes) byTicket.set(note.ticketId, [...(byTicket.get(note.ticketId) ?? []), note]);
  return byTicket;
}

/** The entries that had left the ticket when it was read; what is moved later is still in what was read. */
async function archivedOf({ _id: ticketId, archivedTo }: TicketRecord, scope: Scope): Promise<HistoryEntry[]> {
  if (archivedTo === 0) return [];
  const archived = await ArchivedHistory.find({ ticketId, 'entry.seq': trusted({ $lte: archivedTo }) })
    .sort({ 'entry.seq': 1 })
    .session(scope.session)
    .readConcern(concernOf(scope))
    .lean();
  return archived.map(({ entry }) => entry);
}

function lineOf(ticket: TicketRecord, archived: HistoryEntry[], notes: NoteRecord[]): object {
  return {
    kind: 'ticket',
    ...toApi(ticket),
    claimerId: ticket.claimerId,
    contentHash: ticket.contentHash,
    claimIntervals: ticket.claimIntervals.map(({ claimer, from, to, endReason }) => ({ claimer, from, to, endReason })),
    history: [...archived, ...ticket.history].map(entryLine),
    notes: notes.map(({ _id, authorId, text, keyId, createdAt }) => ({
      noteId: _id,
      authorId,
      text,
      keyId,
      createdAt,
    })),
  };
}

function entryLine({ seq, type, at, actorId, keyId, commandId, inputHash, before, after }: HistoryEntry): object {
  const head = { seq, type, at, actorId, keyId, commandId, inputHash };
  return { ...head, before: before && inOrder(before, changedFields), after: inOrder(after, changedFields) };
}
