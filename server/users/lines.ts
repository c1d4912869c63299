import { randomUUID } from 'node:crypto';
import type { UserLine } from '@counterfoil/shared/transfer';
import { trusted } from 'mongoose';
import { Ticket } from '../tickets/model.ts';
import { concernOf, insertEach, type Outcome, pagesById, type Scope } from '../transfer/lines.ts';
import { toApi, User } from './model.ts';

/** Those of a page of users who own or have claimed a ticket of the guild: users themselves belong to no guild. */
async function knownIn(guildId: string, discordIds: string[], scope: Scope): Promise<Set<string>> {
  const fields = ['ticketOwner', 'claimedBy'] as const;
  const found = fields.map((field) => {
    const filter = { guildId, [field]: trusted({ $in: discordIds }) };
    return Ticket.distinct(field, filter, { session: scope.session, readConcern: { level: concernOf(scope) } });
  });
  return new Set((await Promise.all(found)).flat().filter((id) => id !== null));
}

/** The users as lines, by id; of a guild those who own or have claimed a ticket of it. */
export async function* exportUsers(scope: Scope, after: UserLine | null): AsyncGenerator<object> {
  for await (const users of pagesById(User, {}, scope, after?.userId)) {
    const ids = users.map(({ discordId }) => discordId);
    const known = scope.guildId === null ? new Set(ids) : await knownIn(scope.guildId, ids, scope);
    for (const user of users) if (known.has(user.discordId)) yield { kind: 'user', ...toApi(user) };
  }
}

/** Makes users known; a pair of ids that contradicts one that is known is refused. */
export async function importUsers(lines: UserLine[]): Promise<Outcome[]> {
  const records = lines.map(({ userId, userDiscordId, userDisplayName, createdAt }) => ({
    _id: userId ?? randomUUID(),
    discordId: userDiscordId,
    displayName: userDisplayName ?? null,
    createdAt: createdAt ?? new Date(),
  }));
  const refusals = await insertEach(User, records);
  return Promise.all(
    lines.map(async ({ userId, userDiscordId }, place): Promise<Outcome> => {
      if (!refusals[place]) return 'imported';
      const known = await User.findOne({ discordId: userDiscordId }).lean();
      if (known && (userId == null || known._id === userId)) return 'present';
      return { problem: known ? `userDiscordId: known with the userId ${known._id}` : 'userId: is another person' };
    }),
  );
}
