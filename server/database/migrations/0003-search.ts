import type { mongo } from 'mongoose';
import type { TicketFields } from '../../tickets/model.ts';
import { searchFields } from '../../tickets/search.ts';
import { createIndexes, fillIn, type Migration } from './steps.ts';

/** A ticket of any version before, as far as this step looks at it. */
interface UnsearchedTicket
  extends Pick<TicketFields, 'ticketName' | 'closeReason' | 'ticketData'>,
    mongo.BSON.Document {
  _id: string;
  version: number;
}

/** The words that a search finds a ticket by, and their index. */
export const search: Migration = {
  name: '0003-search',
  async up(db, progress) {
    await createIndexes(db, 'tickets', [[{ guildId: 1, searchWords: 1, createdAt: -1, _id: -1 }]]);
    const tickets = db.collection<UnsearchedTicket>('tickets');
    await fillIn(tickets, { searchWords: { $exists: false } }, searchFields, progress);
  },
};
