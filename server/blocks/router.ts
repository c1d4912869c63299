import { randomUUID } from 'node:crypto';
import { BlockList, BlockResult, CreateBlock, DeleteBlock, ListBlocks } from '@counterfoil/shared/blocks';
import { Deleted } from '@counterfoil/shared/results';
import { newestFirst } from '../database/cursor.ts';
import { findOrInsert } from '../database/unique.ts';
import { readProcedure, router, writeProcedure } from '../trpc.ts';
import { Block, inForce, toApi } from './model.ts';

const tags = ['Blocks'];

export const blocksRouter = router({
  create: writeProcedure(CreateBlock)
    .meta({
      openapi: {
        method: 'POST',
        path: '/blocks/create',
        tags,
        summary: 'Keep somebody from opening tickets',
        description: 'Another reason or end for the same person and type takes the place of what was there.',
      },
    })
    .output(BlockResult)
    .mutation(async ({ input }) => {
      const { guildId, discordId, ticketType = null, reason = null, expiresAt = null } = input;
      const who = { guildId, discordId, ticketType };
      const made = { _id: randomUUID(), createdAt: new Date() };
      const found = await findOrInsert(Block, who, { ...made, reason, expiresAt });
      const same = found?.record.reason === reason && found.record.expiresAt?.getTime() === expiresAt?.getTime();
      if (found && (found.created || same)) return { changed: found.created, block: toApi(found.record) };
      const block = await Block.findOneAndUpdate(
        who,
        { $set: { reason, expiresAt }, $setOnInsert: made },
        { upsert: true, returnDocument: 'after', lean: true },
      ).orFail();
      return { changed: true, block: toApi(block) };
    }),

  list: readProcedure(ListBlocks)
    .meta({
      openapi: { method: 'GET', path: '/blocks/{guildId}', tags, summary: 'Who may not open tickets, newest first' },
    })
    .output(BlockList)
    .query(async ({ input: { guildId, ...page } }) => {
      const { records, nextCursor } = await newestFirst({ blocks: guildId }, page, 'createdAt', (older, count) =>
        Block.find({ guildId, $and: [inForce(), older] })
          .sort({ createdAt: -1, _id: -1 })
          .limit(count)
          .lean(),
      );
      return { blocks: records.map(toApi), nextCursor };
    }),

  delete: writeProcedure(DeleteBlock)
    .meta({
      openapi: {
        method: 'POST',
        path: '/blocks/delete',
        tags,
        summary: 'Let somebody open tickets again',
        description: 'Deletes the block of this very type; without a type, the one for every type.',
      },
    })
    .output(Deleted)
    .mutation(async ({ input: { guildId, discordId, ticketType = null } }) => {
      const { deletedCount } = await Block.deleteOne({ guildId, discordId, ticketType });
      return { changed: deletedCount > 0 };
    }),
});
