import { createIndexes, type Migration } from './steps.ts';

/** The indexes of the first version, whose starts created them themselves. */
export const baseline: Migration = {
  name: '0001-baseline',
  async up(db) {
    await createIndexes(db, 'tickets', [
      [{ shortId: 1 }, { unique: true }],
      [
        { guildId: 1, ticketName: 1 },
        { unique: true, partialFilterExpression: { closed: false } },
      ],
      [{ ticketName: 1, closed: 1, guildId: 1, createdAt: -1, _id: -1 }],
    ]);
    await createIndexes(db, 'ticketChannels', [[{ guildId: 1, ticketType: 1 }, { unique: true }]]);
    await createIndexes(db, 'users', [[{ discordId: 1 }, { unique: true }]]);
    await createIndexes(db, 'keys', [[{ first: 1 }, { unique: true, partialFilterExpression: { first: true } }]]);
  },
};
