import { EraseGuild } from '@counterfoil/shared/guilds';
import { Erased } from '@counterfoil/shared/results';
import { adminProcedure, router } from '../trpc.ts';
import { eraseGuild } from './erase.ts';

export const guildsRouter = router({
  erase: adminProcedure(EraseGuild)
    .meta({
      openapi: {
        method: 'POST',
        path: '/guilds/erase',
        tags: ['Guilds'],
        summary: 'Erase a guild',
        description:
          'Deletes its tickets with notes and history, its ticket types and its blocks; only its last ticket number and the audit trail are kept. ' +
          'A large guild takes several calls: repeat it until `done`.',
      },
    })
    .output(Erased)
    .mutation(({ ctx, input }) => eraseGuild(ctx, input.guildId)),
});
