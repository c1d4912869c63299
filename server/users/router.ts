import { Erased } from '@counterfoil/shared/results';
import {
  User as ApiUser,
  CreatedUser,
  CreateUser,
  EraseUser,
  UserByDiscordId,
  UserById,
  UserExists,
} from '@counterfoil/shared/users';
import { UserNotFound } from '../errors.ts';
import { adminProcedure, readProcedure, router, writeProcedure } from '../trpc.ts';
import { eraseUser } from './erase.ts';
import { findOrCreateUser, toApi, User } from './model.ts';

const tags = ['Users'];

export const usersRouter = router({
  create: writeProcedure(CreateUser)
    .meta({
      openapi: {
        method: 'POST',
        path: '/user/new',
        tags,
        summary: 'Make a user known',
        description: 'The same pair again answers `created: false`; the first display name stays.',
      },
      errors: ['user_exists'],
    })
    .output(CreatedUser)
    .mutation(async ({ input }) => {
      const { userDiscordId, userId, userDisplayName: displayName } = input;
      const { created, user } = await findOrCreateUser(userDiscordId, { userId, displayName });
      return { created, user: toApi(user) };
    }),

  getByDiscordId: readProcedure(UserByDiscordId)
    .meta({
      openapi: { method: 'GET', path: '/user/discordId/{discordId}', tags, summary: 'Get a user from a Discord id' },
      errors: ['user_not_found'],
    })
    .output(ApiUser)
    .query(async ({ input: { discordId } }) => {
      const user = await User.findOne({ discordId }).lean();
      if (!user) throw new UserNotFound(discordId);
      return toApi(user);
    }),

  get: readProcedure(UserById)
    .meta({
      openapi: { method: 'GET', path: '/user/userId/{userId}', tags, summary: 'Get a user from a database id' },
      errors: ['user_not_found'],
    })
    .output(ApiUser)
    .query(async ({ input: { userId } }) => {
      const user = await User.findById(userId).lean();
      if (!user) throw new UserNotFound(userId);
      return toApi(user);
    }),

  exists: readProcedure(UserByDiscordId)
    .meta({
      openapi: { method: 'GET', path: '/user/exists/discordId/{discordId}', tags, summary: 'Is a Discord id known' },
    })
    .output(UserExists)
    .query(async ({ input: { discordId } }) => ({ exists: (await User.exists({ discordId })) !== null })),

  erase: adminProcedure(EraseUser)
    .meta({
      openapi: {
        method: 'POST',
        path: '/user/erase',
        tags,
        summary: 'Erase a person',
        description:
          'In every ticket and its history a stand-in, the same in all of them, takes the place of the Discord id, so that ' +
          "figures stay. The `ticketData` and the rating's comment that they wrote as owners, the texts of their notes, their " +
          'blocks and their name are removed. A key of some guilds erases them there only. It may take several calls: repeat ' +
          'it until `done`.',
      },
    })
    .output(Erased)
    .mutation(({ ctx, input }) => eraseUser(ctx.key, input.discordId)),
});
