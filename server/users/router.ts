import {
  User as ApiUser,
  CreatedUser,
  CreateUser,
  UserByDiscordId,
  UserById,
  UserExists,
} from '@counterfoil/shared/users';
import { UserNotFound } from '../errors.ts';
import { readProcedure, router, writeProcedure } from '../trpc.ts';
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
});
