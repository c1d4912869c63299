import { setTimeout as sleep } from 'node:timers/promises';
import { findKey } from 'counterfoil/keys/known';
import { Key } from 'counterfoil/keys/model';
import { mongo, set } from 'mongoose';
import { describe, expect, inject, test } from 'vitest';
import { type Contract, contract } from './contract.ts';
import { callsTo, issueKey, snowflake } from './harness.ts';
import { startMongod } from './mongod.ts';
import { startServer, until } from './server-process.ts';

const environmentKey = 'keys-test-key-of-the-environment';
const year2099 = '2099-01-01T00:00:00.000Z';
const idOf = (secret: string) => secret.slice(4, 12);

contract('keys', ({ ok, refused, call, app }: Contract) => {
  const works = async (secret: string) => (await call('users.exists', { discordId: snowflake() }, secret)).status;

  test('one is made with a scope, guilds, an end and a limit, and works at once', async () => {
    const guildId = snowflake();
    const input = { name: 'support-bot', scope: 'write', guildIds: [guildId], expiresAt: year2099, rateLimit: 50 };
    const { key, secret } = await ok('keys.create', input);
    expect(secret).toMatch(/^cfl_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}$/);
    expect(key).toEqual({
      ...input,
      keyId: idOf(secret),
      createdAt: expect.any(String),
      lastUsedAt: null,
      revokedAt: null,
    });
    await ok('channels.list', { guildId }, secret);
    await refused('guild_not_allowed', 'channels.list', { guildId: snowflake() }, secret);
    await refused('insufficient_scope', 'keys.list', {}, secret);
    const { keys } = await ok('keys.list', {});
    expect(keys.find(({ keyId }: { keyId: string }) => keyId === key.keyId)).toEqual({
      ...key,
      lastUsedAt: expect.toBeOneOf([null, expect.any(String)]),
    });
    expect(JSON.stringify(keys)).not.toContain(secret.slice(13));
  });

  test('bad fields are named', async () => {
    const good = { name: 'x', scope: 'read' };
    for (const [field, value] of [
      ['name', ''],
      ['name', 'a\nb'],
      ['scope', 'owner'],
      ['guildIds', []],
      ['guildIds', ['1']],
      ['guildIds', null],
      ['expiresAt', '2020-01-01T00:00:00Z'],
      ['expiresAt', 'tomorrow'],
      ['rateLimit', 0],
      ['rateLimit', '5'],
      ['keyId', 'XS2YfX3r'],
    ] as const) {
      const error = await refused('validation_failed', 'keys.create', { ...good, [field]: value });
      expect(error?.issues?.[0]?.path).toMatch(new RegExp(`^${field}`));
    }
    const twice = [snowflake()];
    await refused('validation_failed', 'keys.create', { ...good, guildIds: [...twice, ...twice] });
    for (const overlapHours of [-1, 169, 0.5]) {
      await refused('validation_failed', 'keys.rotate', { keyId: 'XS2YfX3r', overlapHours });
    }
    await refused('validation_failed', 'keys.revoke', { keyId: 'environment' });
  });

  test('no key makes one that is wider than itself', async () => {
    const [guildId, other] = [snowflake(), snowflake()];
    const bounds = { guildIds: [guildId, other], expiresAt: new Date(Date.now() + 3_600_000), rateLimit: 500 };
    const maker = await issueKey('admin', bounds);
    const expiresAt = bounds.expiresAt.toISOString();
    const allowed = { name: 'x', scope: 'admin', guildIds: [guildId], expiresAt, rateLimit: 500 };
    await ok('keys.create', allowed, maker);
    for (const [type, wider] of [
      ['guild_not_allowed', { ...allowed, guildIds: [guildId, snowflake()] }],
      ['guild_not_allowed', { ...allowed, guildIds: undefined }],
      ['insufficient_scope', { ...allowed, expiresAt: undefined }],
      ['insufficient_scope', { ...allowed, expiresAt: year2099 }],
      ['insufficient_scope', { ...allowed, rateLimit: undefined }],
      ['insufficient_scope', { ...allowed, rateLimit: 501 }],
    ] as const) {
      await refused(type, 'keys.create', wider, maker);
    }
  });

  test('no key gets the secret of one that is wider than itself', async () => {
    const guildIds = [snowflake()];
    const wide = await issueKey('admin', { guildIds });
    for (const bounds of [{ rateLimit: 500 }, { expiresAt: new Date(Date.now() + 3_600_000) }]) {
      const narrow = await issueKey('admin', { guildIds, ...bounds });
      await refused('insufficient_scope', 'keys.rotate', { keyId: idOf(wide), overlapHours: 0 }, narrow);
      expect(await works(wide)).toBe(200);
      await ok('keys.rotate', { keyId: idOf(narrow) }, narrow);
    }
  });

  test('a key of some guilds sees and changes the keys of these alone', async () => {
    const [guildId, other] = [snowflake(), snowflake()];
    const maker = await issueKey('admin', { guildIds: [guildId, other] });
    const within = await issueKey('read', { guildIds: [other] });
    const outside = await issueKey('read', { guildIds: [guildId, snowflake()] });
    const everywhere = await issueKey('read');
    const { keys } = await ok('keys.list', {}, maker);
    expect(keys.map(({ keyId }: { keyId: string }) => keyId).toSorted()).toEqual([maker, within].map(idOf).toSorted());
    for (const secret of [outside, everywhere]) {
      for (const procedure of ['keys.rotate', 'keys.revoke']) {
        await refused('key_not_found', procedure, { keyId: idOf(secret) }, maker);
      }
      expect(await works(secret)).toBe(200);
    }
    expect(await ok('keys.revoke', { keyId: idOf(within) }, maker)).toMatchObject({ changed: true });
  });

  test('a rotated key has a new secret, and the old ones end after the overlap', async () => {
    const first = await issueKey('read');
    const keyId = idOf(first);
    expect(await works(first)).toBe(200);
    const { secret: second, key } = await ok('keys.rotate', { keyId });
    expect(second.slice(0, 13)).toBe(first.slice(0, 13));
    expect(key).toMatchObject({ keyId, revokedAt: null });
    const { secret: third } = await ok('keys.rotate', { keyId, overlapHours: 168 });
    expect([await works(first), await works(second), await works(third)]).toEqual([200, 200, 200]);
    const stored = await Key.findById(keyId).lean();
    const hoursLeft = stored?.secrets.map(
      ({ validUntil }) => validUntil && Math.round((validUntil.getTime() - Date.now()) / 3_600_000),
    );
    // A later rotation with a longer overlap does not prolong what was to end before.
    expect(hoursLeft).toEqual([null, 168, 24]);
    const { secret: last } = await ok('keys.rotate', { keyId, overlapHours: 0 });
    expect([await works(first), await works(second), await works(third)]).toEqual([401, 401, 401]);
    expect(await works(last)).toBe(200);
    expect((await Key.findById(keyId).lean())?.secrets).toHaveLength(1);
  });

  test('of rotations at once each has its own secret, and all are known', async () => {
    const first = await issueKey('read');
    const rotated = await Promise.all(Array.from({ length: 5 }, () => ok('keys.rotate', { keyId: idOf(first) })));
    expect(new Set(rotated.map(({ secret }) => secret)).size).toBe(5);
    for (const { secret } of rotated) expect(await works(secret)).toBe(200);
  });

  test('a revoked key ends at once, for good; again is changed: false', async () => {
    const secret = await issueKey('read');
    const keyId = idOf(secret);
    expect(await works(secret)).toBe(200);
    const { changed, key } = await ok('keys.revoke', { keyId });
    expect([changed, key.revokedAt]).toEqual([true, expect.any(String)]);
    expect(await works(secret)).toBe(401);
    expect(await ok('keys.revoke', { keyId })).toEqual({ changed: false, key });
    await refused('key_not_found', 'keys.rotate', { keyId });
    const expired = await issueKey('read', { expiresAt: new Date(Date.now() - 1) });
    await refused('key_not_found', 'keys.rotate', { keyId: idOf(expired) });
  });

  test('the audit trail tells who changed which key, and never a secret', async () => {
    const guildId = snowflake();
    const bound = await issueKey('admin', { guildIds: [guildId] });
    const { key, secret } = await ok('keys.create', { name: 'bot', scope: 'read', guildIds: [guildId] }, bound);
    const { secret: next } = await ok('keys.rotate', { keyId: key.keyId, overlapHours: 2 });
    await ok('keys.revoke', { keyId: key.keyId }, bound);
    await ok('keys.revoke', { keyId: key.keyId }, bound);
    const { audit } = await ok('audit.list', {}, bound);
    expect(audit).toMatchObject([
      { action: 'keys.revoke', keyId: idOf(bound), after: { revokedAt: expect.any(String) } },
      { action: 'keys.rotate', keyId: idOf(app().key), after: { overlapUntil: expect.any(String) } },
      {
        action: 'keys.create',
        keyId: idOf(bound),
        target: key.keyId,
        guildIds: [guildId],
        before: null,
        after: { name: 'bot', scope: 'read', guildIds: [guildId], expiresAt: null, rateLimit: null },
      },
    ]);
    for (const part of [secret, next]) expect(JSON.stringify(audit)).not.toContain(part.slice(13, 45));
  });

  test('the audit trail tells who changed which ticket type, in the guilds of the key alone, by pages', async () => {
    const [guildId, other] = [snowflake(), snowflake()];
    const type = { ticketType: 'support', guildId };
    const channelId = snowflake();
    await ok('channels.create', { ...type, channelId });
    await ok('channels.create', { ...type, channelId });
    await ok('channels.create', { ...type, guildId: other, channelId });
    await ok('channels.update', { ...type, maxOpenPerOwner: 2, displayName: null, staffRoleIds: [channelId] });
    await ok('channels.update', { ...type, maxOpenPerOwner: 2, staffRoleIds: [channelId] });
    await ok('channels.delete', type);
    await ok('channels.delete', type);
    const expected = [
      { action: 'channels.delete', before: { channelId, maxOpenPerOwner: 2, staffRoleIds: [channelId] }, after: null },
      {
        action: 'channels.update',
        before: { maxOpenPerOwner: null, staffRoleIds: null },
        after: { maxOpenPerOwner: 2, staffRoleIds: [channelId] },
      },
      { action: 'channels.create', before: null, after: { channelId } },
    ].map((entry) => ({ ...entry, target: 'support', guildIds: [guildId], keyId: idOf(app().key) }));
    const bound = await issueKey('admin', { guildIds: [guildId] });
    for (const [query, key] of [
      [{}, bound],
      [{ guildId }, app().key],
    ] as const) {
      const seen = [];
      let cursor: string | null = null;
      do {
        const page: { audit: object[]; nextCursor: string | null } = await ok(
          'audit.list',
          { ...query, limit: 1, ...(cursor && { cursor }) },
          key,
        );
        seen.push(...page.audit);
        cursor = page.nextCursor;
      } while (cursor !== null);
      expect(seen).toMatchObject(expected);
    }
    const { nextCursor: cursor } = await ok('audit.list', { guildId, limit: 1 });
    await refused('validation_failed', 'audit.list', { guildId: other, limit: 1, cursor });
    await refused('validation_failed', 'audit.list', { guildId, limit: 1, cursor }, bound);
  });
});

describe('what a process knows of keys', () => {
  test('costs no database call once a key is known, and its last use is stored to the minute', async () => {
    const secret = await issueKey('read');
    const keyId = idOf(secret);
    await findKey(keyId);
    const calls: string[] = [];
    set('debug', (collection: string, method: string) => collection === 'keys' && calls.push(method));
    for (let round = 0; round < 50; round += 1) expect(await findKey(keyId)).toMatchObject({ _id: keyId });
    // The stream of changes confirms it meanwhile: it is not read again for its age, unless this process was held up.
    await until(async () => {
      calls.length = 0;
      await sleep(5000);
      expect(await findKey(keyId)).toMatchObject({ _id: keyId });
      return calls.length === 0;
    }, 60_000);
    set('debug', false);
  });

  /** Runs the server on a mongod, with a key that it has seen. */
  async function startWithKey(mongodbUri: string) {
    const server = await startServer({ env: { MONGODB_URI: mongodbUri, COUNTERFOIL_KEY: environmentKey } });
    const admin = callsTo(server.url, environmentKey);
    const { secret, key } = (await admin.rest('keys.create', { name: 'bot', scope: 'read' })).data;
    const { rest } = callsTo(server.url, secret);
    const status = async () => (await rest('users.exists', { discordId: snowflake() })).status;
    expect(await status()).toBe(200);
    return { ...server, admin, keyId: key.keyId, status };
  }

  test('a revocation by another process is in force also while the change stream is away', async () => {
    await using mongod = await startMongod();
    await using server = await startWithKey(mongod.uri);
    await mongod.fail(['getMore', 'aggregate'], { errorCode: 8000 });
    await using other = await startServer({ env: { MONGODB_URI: mongod.uri, COUNTERFOIL_KEY: environmentKey } });
    await callsTo(other.url, environmentKey).rest('keys.revoke', { keyId: server.keyId });
    await until(async () => (await server.status()) === 401);
    expect(server.stdout()).toContain('the change stream of the keys broke');
    await mongod.fail([]);
  });

  test('is read again where the keys were dropped and restored, and the service goes on', async () => {
    await using mongod = await startMongod();
    await using server = await startWithKey(mongod.uri);
    await using client = new mongo.MongoClient(mongod.uri);
    const stored = client.db().collection<{ _id: string }>('keys');
    const document = await stored.findOne({ _id: server.keyId });
    await stored.drop();
    await until(async () => (await server.status()) === 401);
    if (document) await stored.insertOne(document);
    await until(async () => (await server.status()) === 200);
    await server.admin.rest('keys.revoke', { keyId: server.keyId });
    expect(await server.status()).toBe(401);
  });

  test('a use is stored as its minute', async () => {
    await using server = await startServer({
      env: { MONGODB_URI: inject('mongodbUri'), COUNTERFOIL_KEY: environmentKey },
    });
    const secret = await issueKey('read');
    const { rest } = callsTo(server.url, secret);
    await rest('users.exists', { discordId: snowflake() });
    await until(async () => (await Key.findById(idOf(secret)).lean())?.lastUsedAt !== null);
    const lastUsedAt = (await Key.findById(idOf(secret)).lean())?.lastUsedAt?.getTime() ?? 0;
    expect(lastUsedAt % 60_000).toBe(0);
    expect(Date.now() - lastUsedAt).toBeLessThan(120_000);
  });
});
