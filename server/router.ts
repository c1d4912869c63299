import { auditRouter } from './audit/router.ts';
import { blocksRouter } from './blocks/router.ts';
import { channelsRouter } from './channels/router.ts';
import { guildsRouter } from './guilds/router.ts';
import { keysRouter } from './keys/router.ts';
import { ticketsRouter } from './tickets/router.ts';
import { router } from './trpc.ts';
import { usersRouter } from './users/router.ts';

/** Every procedure of the service: the one source of tRPC, REST, the OpenAPI document and the client. */
export const appRouter = router({
  tickets: ticketsRouter,
  channels: channelsRouter,
  blocks: blocksRouter,
  users: usersRouter,
  guilds: guildsRouter,
  keys: keysRouter,
  audit: auditRouter,
});
export type AppRouter = typeof appRouter;
