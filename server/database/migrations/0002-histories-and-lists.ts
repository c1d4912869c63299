import { mongo } from 'mongoose';
import { createIndexes, fillIn, type Migration } from './steps.ts';

/** A ticket as the first version stored it, as far as this step looks at it. */
interface OldTicket extends mongo.BSON.Document {
  _id: string;
  version: number;
  history: { type: string; at: Date; after: { claimedBy?: string | null; closed?: boolean } }[];
}

/** Who had claimed the ticket and from when to when; the first version knew create, claim and close only. */
function claimIntervalsOf({ history }: OldTicket) {
  const begun = history.find(({ type, after }) => type !== 'close' && after.claimedBy && !after.closed);
  const ended = history.find(({ type }) => type === 'close');
  if (!begun) return [];
  const end = ended ? { to: ended.at, endReason: ended.type } : { to: null, endReason: null };
  return [{ claimer: begun.after.claimedBy, from: begun.at, ...end }];
}

/** What the histories with an archive, the claim intervals and the lists need. */
export const historiesAndLists: Migration = {
  name: '0002-histories-and-lists',
  async up(db, progress) {
    await createIndexes(
      db,
      'tickets',
      ['createdAt', 'updatedAt'].flatMap((time) => [
        [{ [time]: -1, _id: -1 }],
        [{ guildId: 1, [time]: -1, _id: -1 }],
        ...['closed', 'ticketType', 'ticketOwner', 'claimedBy', 'channelId', 'labels'].map(
          (field): [Record<string, 1 | -1>] => [{ guildId: 1, [field]: 1, [time]: -1, _id: -1 }],
        ),
      ]),
    );
    await createIndexes(db, 'ticketHistory', [
      [{ ticketId: 1, 'entry.seq': 1 }],
      [{ ticketId: 1, 'entry.commandId': 1 }],
    ]);
    await createIndexes(db, 'notes', [[{ ticketId: 1, createdAt: 1, _id: 1 }]]);
    const fields = (ticket: OldTicket) => ({
      historyBytes: mongo.BSON.calculateObjectSize({ history: ticket.history }),
      archivedTo: 0,
      claimIntervals: claimIntervalsOf(ticket),
    });
    await fillIn(db.collection<OldTicket>('tickets'), { historyBytes: { $exists: false } }, fields, progress);
  },
};
