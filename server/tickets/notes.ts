import { randomUUID } from 'node:crypto';
import type { AddNote, Note as ApiNote } from '@counterfoil/shared/notes';
import { model, Schema } from 'mongoose';
import { findOrInsert } from '../database/unique.ts';
import { NoteIdTaken, TicketNotFound } from '../errors.ts';
import { Ticket } from './model.ts';

/** A note of the staff on a ticket. */
export interface NoteRecord {
  _id: string;
  ticketId: string;
  guildId: string;
  authorId: string;
  text: string;
  keyId: string;
  createdAt: Date;
}

const schema = new Schema<NoteRecord>(
  {
    _id: { type: String, required: true },
    ticketId: { type: String, required: true },
    guildId: { type: String, required: true },
    authorId: { type: String, required: true },
    text: { type: String, required: true },
    keyId: { type: String, required: true },
    createdAt: { type: Date, required: true },
  },
  { collection: 'notes', versionKey: false, strict: 'throw' },
);
schema.index({ ticketId: 1, createdAt: 1, _id: 1 });
schema.index({ guildId: 1 });
export const Note = model<NoteRecord>('Note', schema);

function toApi({ _id: noteId, authorId, text, createdAt }: NoteRecord): ApiNote {
  return { noteId, authorId, text, createdAt: createdAt.toISOString() };
}

/** Adds a note to a ticket, once for a `noteId`; throws NoteIdTaken where that id stands for another note. */
export async function addNote(
  ticket: { _id: string; shortId: string; guildId: string },
  { noteId: _id = randomUUID(), authorId, text }: AddNote,
  keyId: string,
): Promise<{ changed: boolean; note: ApiNote }> {
  const { _id: ticketId, guildId } = ticket;
  const found = await findOrInsert(Note, { _id }, { ticketId, guildId, authorId, text, keyId, createdAt: new Date() });
  const note = found?.record;
  if (note?.ticketId !== ticketId || note.authorId !== authorId || note.text !== text) throw new NoteIdTaken(_id);
  // It was deleted meanwhile: so is the note.
  if (found?.created && !(await Ticket.exists({ _id: ticketId }).readConcern('local'))) {
    await Note.deleteOne({ _id });
    throw new TicketNotFound(ticket.shortId);
  }
  return { changed: found?.created === true, note: toApi(note) };
}

/** The notes of a ticket, oldest first. */
export async function listNotes(ticketId: string): Promise<ApiNote[]> {
  return (await Note.find({ ticketId }).sort({ createdAt: 1, _id: 1 }).lean()).map(toApi);
}
