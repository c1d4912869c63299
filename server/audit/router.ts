import { AuditList, ListAudit } from '@counterfoil/shared/audit';
import { behind, makeCursor, type Position, readCursor } from '../database/cursor.ts';
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
    .query(async ({ ctx, input: { guildId, limit, cursor } }) => {
      const query = { audit: guildId ?? null, of: ctx.key.guildIds };
      const position = cursor === undefined ? null : await readCursor<Position>(query, cursor);
      const older = position ? behind({ field: 'at', direction: -1 }, position) : {};
      const ofGuild = guildId === undefined ? {} : { guildIds: guildId };
      const found = await Audit.find({ $and: [ofGuildsOf(ctx.key), ofGuild, older] })
        .sort({ at: -1, _id: -1 })
        .limit(limit + 1)
        .lean();
      const entries = found.slice(0, limit);
      const last = found.length > limit ? entries.at(-1) : undefined;
      const nextCursor = last ? await makeCursor(query, [last.at.getTime(), last._id]) : null;
      return { audit: entries.map(toApi), nextCursor };
    }),
});
