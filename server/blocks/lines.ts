import { randomUUID } from 'node:crypto';
import type { BlockLine } from '@counterfoil/shared/transfer';
import { inScope, insertEach, type Outcome, pagesById, type Scope } from '../transfer/lines.ts';
import { Block, toApi } from './model.ts';

/** The blocks as lines, by id. */
export async function* exportBlocks(scope: Scope, after: BlockLine | null): AsyncGenerator<object> {
  for await (const blocks of pagesById(Block, inScope(scope), scope, after?.id)) {
    for (const block of blocks) yield { kind: 'block', id: block._id, ...toApi(block) };
  }
}

/** Blocks people; a block of the same person and type that is there stays as it is. */
export async function importBlocks(lines: BlockLine[]): Promise<Outcome[]> {
  const records = lines.map(({ id, guildId, discordId, ticketType, reason, expiresAt, createdAt }) => ({
    _id: id ?? randomUUID(),
    guildId,
    discordId,
    ticketType: ticketType ?? null,
    reason: reason ?? null,
    expiresAt: expiresAt ?? null,
    createdAt: createdAt ?? new Date(),
  }));
  const refusals = await insertEach(Block, records);
  return Promise.all(
    records.map(async ({ guildId, discordId, ticketType }, place): Promise<Outcome> => {
      if (!refusals[place]) return 'imported';
      return (await Block.exists({ guildId, discordId, ticketType })) ? 'present' : { problem: 'id: is another block' };
    }),
  );
}
