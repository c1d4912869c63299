import { createIndexes, type Migration } from './steps.ts';

/** What the audit trail is read by, and what rate limits are counted by. */
export const auditAndRateLimits: Migration = {
  name: '0005-audit-and-rate-limits',
  async up(db) {
    await createIndexes(db, 'audit', [[{ at: -1, _id: -1 }], [{ guildIds: 1, at: -1, _id: -1 }]]);
    await createIndexes(db, 'rateLimits', [
      [{ key: 1 }, { unique: true }],
      [{ expire: 1 }, { expireAfterSeconds: 0 }],
    ]);
  },
};
