import { createIndexes, type Migration } from './steps.ts';

/** What limits, cooldowns and blocks are looked up by, and what the erasure of a guild leaves out of its tickets. */
export const limitsAndBlocks: Migration = {
  name: '0004-limits-and-blocks',
  async up(db) {
    await createIndexes(db, 'tickets', [[{ guildId: 1, ticketOwner: 1, ticketType: 1, closed: 1, createdAt: -1 }]]);
    await createIndexes(db, 'notes', [[{ guildId: 1 }]]);
    await createIndexes(db, 'ticketHistory', [[{ guildId: 1 }]]);
    await createIndexes(db, 'blocks', [
      [{ guildId: 1, discordId: 1, ticketType: 1 }, { unique: true }],
      [{ guildId: 1, createdAt: -1, _id: -1 }],
      [{ expiresAt: 1 }, { expireAfterSeconds: 0 }],
    ]);
  },
};
