import { randomUUID } from 'node:crypto';
import type { User as ApiUser } from '@counterfoil/shared/users';
import { model, Schema } from 'mongoose';
import { coalesce } from '../database/coalesce.ts';
import { rawCollection } from '../database/raw.ts';
import { findOrInsert } from '../database/unique.ts';
import { UserExists } from '../errors.ts';

/** The mapping between a database UUID and a Discord id; it never changes once made. */
export interface UserRecord {
  _id: string;
  discordId: string;
  displayName: string | null;
  createdAt: Date;
}

const schema = new Schema<UserRecord>(
  {
    _id: { type: String, required: true },
    discordId: { type: String, required: true },
    displayName: { type: String, default: null },
    createdAt: { type: Date, required: true },
  },
  { collection: 'users', versionKey: false, strict: 'throw' },
);
schema.index({ discordId: 1 }, { unique: true });

export const User = model<UserRecord>('User', schema);

/** The user as every route returns it. */
export function toApi(user: UserRecord): ApiUser {
  return {
    userId: user._id,
    userDiscordId: user.discordId,
    userDisplayName: user.displayName,
    createdAt: user.createdAt.toISOString(),
  };
}

/** Finds the user of a Discord id, or makes one, and keeps the first display name; throws UserExists where the wanted `userId` is another person's. */
export async function findOrCreateUser(
  discordId: string,
  wanted: { userId?: string | undefined; displayName?: string | undefined } = {},
): Promise<{ created: boolean; user: UserRecord }> {
  const { userId = randomUUID(), displayName = null } = wanted;
  const found = await findOrInsert(User, { discordId }, { _id: userId, displayName, createdAt: new Date() });
  if (!found || (wanted.userId !== undefined && found.record._id !== wanted.userId)) throw new UserExists();
  if (found.record.displayName !== displayName && found.record.displayName === null) {
    await User.updateOne({ _id: found.record._id, displayName: null }, { displayName });
    const user = await User.findById(found.record._id).lean();
    return { created: false, user: user ?? found.record };
  }
  return { created: found.created, user: found.record };
}

/** The database UUID of a Discord id, or null. */
const findUserId = coalesce(async (discordIds: readonly string[]) => {
  const filter = { discordId: { $in: [...discordIds] } };
  const users = await rawCollection(User)
    .find<UserRecord>(filter, { projection: { discordId: 1 } })
    .toArray();
  const ids = new Map(users.map(({ discordId, _id }) => [discordId, _id]));
  return discordIds.map((discordId) => ids.get(discordId) ?? null);
});

/** The database UUID of a Discord id, made where it is unknown. */
export async function knownUserId(discordId: string): Promise<string> {
  return (await findUserId(discordId)) ?? (await findOrCreateUser(discordId)).user._id;
}
