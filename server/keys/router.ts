import { CreateKey, IssuedKey, KeyList, ListKeys, RevokedKey, RevokeKey, RotateKey } from '@counterfoil/shared/keys';
import { adminProcedure, router } from '../trpc.ts';
import { createKey, listKeys, revokeKey, rotateKey } from './manage.ts';
import { toApi } from './model.ts';

const tags = ['Keys'];

export const keysRouter = router({
  create: adminProcedure(CreateKey)
    .meta({
      openapi: {
        method: 'POST',
        path: '/keys/create',
        tags,
        summary: 'Make a key',
        description:
          'No key makes one that is wider than itself. The secret is shown this once. Not repeatable: where the answer was ' +
          'lost, look at `GET /keys` and revoke the one that nobody knows.',
      },
      errors: ['guild_not_allowed'],
    })
    .output(IssuedKey)
    .mutation(async ({ ctx, input }) => {
      const { key, secret } = await createKey(ctx, input);
      return { key: toApi(key), secret };
    }),

  list: adminProcedure(ListKeys)
    .meta({
      openapi: {
        method: 'GET',
        path: '/keys',
        tags,
        summary: 'The keys, newest first',
        description: 'With those that are revoked. A key of some guilds sees the keys of these alone.',
      },
    })
    .output(KeyList)
    .query(async ({ ctx }) => ({ keys: (await listKeys(ctx.key)).map(toApi) })),

  rotate: adminProcedure(RotateKey)
    .meta({
      openapi: {
        method: 'POST',
        path: '/keys/rotate',
        tags,
        summary: 'Give a key a new secret',
        description:
          'No key has the secret of one that is wider than itself. The old secrets stay valid for `overlapHours`. The new one is shown this once. Not repeatable: rotate again where ' +
          'the answer was lost.',
      },
      errors: ['key_not_found'],
    })
    .output(IssuedKey)
    .mutation(async ({ ctx, input }) => {
      const { key, secret } = await rotateKey(ctx, input);
      return { key: toApi(key), secret };
    }),

  revoke: adminProcedure(RevokeKey)
    .meta({
      openapi: {
        method: 'POST',
        path: '/keys/revoke',
        tags,
        summary: 'Revoke a key',
        description: 'For good, and in force in every process within a second.',
      },
      errors: ['key_not_found'],
    })
    .output(RevokedKey)
    .mutation(async ({ ctx, input }) => {
      const { changed, key } = await revokeKey(ctx, input.keyId);
      return { changed, key: toApi(key) };
    }),
});
