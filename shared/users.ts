import { z } from 'zod';
import { example, lineText, Snowflake, Timestamp, Uuid } from './primitives.ts';

const UserId = Uuid.meta({ description: "The user's database id.", examples: [example.userId] });
const UserDiscordId = Snowflake.meta({ description: "The user's Discord id.", examples: [example.claimerId] });

const exampleUser = {
  userId: example.userId,
  userDiscordId: example.claimerId,
  userDisplayName: 'Robin',
  createdAt: example.createdAt,
};

export const User = z
  .object({
    userId: UserId,
    userDiscordId: UserDiscordId,
    userDisplayName: z.string().nullable(),
    createdAt: Timestamp,
  })
  .meta({ id: 'User', description: 'One person: the database id and the Discord id.', examples: [exampleUser] });
export type User = z.output<typeof User>;

export const CreateUser = z
  .strictObject({
    userDiscordId: UserDiscordId,
    userId: UserId.optional().meta({ description: "The user's database id. Made by the server where missing." }),
    userDisplayName: lineText(100).optional(),
  })
  .meta({ examples: [{ userDiscordId: example.claimerId, userId: example.userId, userDisplayName: 'Robin' }] });
export const CreatedUser = z
  .object({
    created: z.boolean().meta({ description: 'False where this pair of ids was known already.' }),
    user: User,
  })
  .meta({ examples: [{ created: true, user: exampleUser }] });

export const UserByDiscordId = z.strictObject({ discordId: UserDiscordId });
export const EraseUser = UserByDiscordId.meta({ examples: [{ discordId: example.claimerId }] });
export const UserById = z.strictObject({ userId: UserId });
export const UserExists = z.object({ exists: z.boolean() }).meta({ examples: [{ exists: true }] });
