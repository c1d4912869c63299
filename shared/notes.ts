import { z } from 'zod';
import { example, LongText, Snowflake, Timestamp, Uuid } from './primitives.ts';
import { ShortId } from './tickets.ts';

const NoteId = Uuid.meta({ description: "The note's database id.", examples: [example.noteId] });
const AuthorId = Snowflake.meta({ description: 'The Discord id of who wrote the note.' });

const exampleAdd = {
  authorId: example.claimerId,
  text: 'Asked the shop: the parcel came back.',
  noteId: example.noteId,
};
const exampleNote = { ...exampleAdd, createdAt: example.claimedAt };

/** A note of the staff on a ticket; never part of what the ticket's owner is shown. */
export const Note = z
  .object({ noteId: NoteId, authorId: AuthorId, text: z.string(), createdAt: Timestamp })
  .meta({ id: 'Note', description: 'A note for the staff only.', examples: [exampleNote] });
export type Note = z.output<typeof Note>;

export const AddNote = z
  .strictObject({
    shortId: ShortId,
    authorId: AuthorId,
    text: LongText.meta({ description: 'In 1 to 4,000 characters.' }),
    noteId: NoteId.optional().meta({ description: 'Makes the command repeatable. Made by the server where missing.' }),
  })
  .meta({ examples: [{ shortId: example.shortId, ...exampleAdd }] });
export type AddNote = z.output<typeof AddNote>;
export const AddedNote = z
  .object({
    changed: z.boolean().meta({ description: 'False where it was added before, with this noteId.' }),
    note: Note,
  })
  .meta({ examples: [{ changed: true, note: exampleNote }] });
export const Notes = z.object({ notes: z.array(Note) }).meta({ examples: [{ notes: [exampleNote] }] });
