import { AuditList, ListAudit } from '@counterfoil/shared/audit';
import { newestFirst } from '../database/cursor.ts';
import { ofGuildsOf } from '../keys/guilds.ts';
import { adminProcedure, router } from '../trpc.ts';
import { Audit, toApi } from './model.ts';

export const auditRouter = router({
  list: adminProcedure(ListAudit)
    .meta({
      openapi: {
        method: 'GET',
        path: '/audit',
        tags: ['Keys'],
        summary: 'Who changed which key or ticket type, newest first',
        description: 'A key of some guilds sees what concerns these alone.',
      },
    })
    .output(AuditList)
    .query(async ({ ctx, input: { guildId, ...page } }) => {
      const query = { audit: guildId ?? null, of: ctx.key.guildIds };
      const ofGuild = guildId === undefined ? {} : { guildIds: guildId };
      const { records, nextCursor } = await newestFirst(query, page, 'at', (older, count) =>
        Audit.find({ $and: [ofGuildsOf(ctx.key), ofGuild, older] })
          .sort({ at: -1, _id: -1 })
          .limit(count)
          .lean(),
      );
      return { audit: records.map(toApi), nextCursor };
    }),
});
