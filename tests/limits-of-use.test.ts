import { connection } from 'mongoose';
import { describe, expect, inject, test } from 'vitest';
import { newTicket } from './contract.ts';
import { callsTo, issueKey, shortId, snowflake, startApp } from './harness.ts';
import { startServer, until } from './server-process.ts';

const unlimited = { rateLimit: null, failedAuthLimit: null, trustProxy: () => false };
const exists = ['users.exists', { discordId: '123456789012345678' }] as const;

/** How many calls of a window are left, by its `RateLimit` header. */
function left(headers: Headers): number | undefined {
  const rest = /;r=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1];
  return rest === undefined ? undefined : Number(rest);
}

const hour = 3_600_000;

describe('the rate limit of a key', () => {
  test.each(['rest', 'trpc'] as const)(
    'is told by headers, and ends in 429 with Retry-After, over %s',
    async (transport) => {
      await using app = await startApp();
      const key = await issueKey('write', { rateLimit: 3 });
      const answers = [];
      for (let call = 0; call < 32; call += 1) answers.push(await app[transport](...exists, key));
      for (const [place, { status, headers }] of answers.slice(0, 30).entries()) {
        expect([status, left(headers)]).toEqual([200, 29 - place]);
        expect(headers.get('ratelimit-policy')).toBe('"reads";q=30;w=10');
        expect(headers.get('ratelimit')).toMatch(/^"reads";r=\d+;t=([1-9]|10)$/);
      }
      for (const { status, error, headers } of answers.slice(30)) {
        expect([status, error?.type, left(headers)]).toEqual([429, 'rate_limited', 0]);
        expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
        expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(10);
      }
      // Commands have a quota of their own.
      const command = await app[transport]('tickets.create', newTicket(), key);
      expect([command.status, command.headers.get('ratelimit-policy')]).toEqual([200, '"commands";q=30;w=10']);
      // Before the body and the scope are looked at, and behind the key and the method.
      const late = await app.fetch('/user/exists/discordId/x', { headers: { authorization: key } });
      expect(late.status).toBe(429);
      const wrongMethod = await app.fetch('/user/exists/discordId/x', {
        method: 'PUT',
        headers: { authorization: key },
      });
      expect(wrongMethod.status).toBe(405);
      await until(async () => (await app[transport](...exists, key)).status === 200, 15_000);
    },
  );

  test('is none by default, and the one of RATE_LIMIT for keys without their own', async () => {
    await using free = await startApp();
    const { headers } = await free.rest(...exists);
    expect([headers.get('ratelimit'), headers.get('ratelimit-policy')]).toEqual([null, null]);
    await using app = await startApp({ limits: { ...unlimited, rateLimit: 7 } });
    expect((await app.rest(...exists)).headers.get('ratelimit-policy')).toBe('"reads";q=70;w=10');
    const key = await issueKey('read', { rateLimit: 50 });
    expect((await app.rest(...exists, key)).headers.get('ratelimit-policy')).toBe('"reads";q=500;w=10');
  });

  test('counts the calls of a batch singly, and refuses one that is too large as a whole', async () => {
    await using app = await startApp();
    const key = await issueKey('write', { rateLimit: 1 });
    const batch = (calls: string[], method = 'GET') => {
      const inputs = Object.fromEntries(calls.map((_, place) => [place, exists[1]]));
      const query = method === 'GET' ? `&input=${encodeURIComponent(JSON.stringify(inputs))}` : '';
      const body = method === 'POST' ? JSON.stringify(inputs) : null;
      const headers = { authorization: key, 'content-type': 'application/json' };
      return app.fetch(`/trpc/${calls.join(',')}?batch=1${query}`, { method, headers, body });
    };
    const first = await batch(Array(7).fill('users.exists'));
    expect([first.status, left(first.headers)]).toEqual([200, 3]);
    const second = await batch(Array(4).fill('users.exists'));
    expect(second.status).toBe(429);
    expect(await second.json()).toMatchObject({ error: { data: { type: 'rate_limited' } } });
    const third = await batch(['users.exists', 'users.exists', 'users.exists']);
    expect([third.status, left(third.headers)]).toEqual([200, 0]);
    // Reads are used up: a batch of both classes uses no command either.
    expect((await batch(['users.exists', 'users.create'], 'POST')).status).toBe(429);
    const commands = await batch(Array(10).fill('users.create'), 'POST');
    expect(left(commands.headers)).toBe(0);
  });

  test('is not kept up by a window that a wrong clock has begun', async () => {
    await using app = await startApp();
    const key = await issueKey('read', { rateLimit: 1 });
    const window = { key: `${key.slice(4, 12)}:reads`, points: 10, expire: new Date(Date.now() + hour) };
    await connection.collection('rateLimits').insertOne(window);
    const { status, headers } = await app.rest(...exists, key);
    expect([status, headers.get('ratelimit')]).toEqual([200, '"reads";r=9;t=10']);
  });

  test('holds for simultaneous calls of two processes together', async () => {
    await using app = await startApp();
    const env = { MONGODB_URI: inject('mongodbUri'), COUNTERFOIL_KEY: 'limits-test-key-of-the-environment' };
    await using server = await startServer({ env });
    const key = await issueKey('read', { rateLimit: 40 });
    const targets = [app, callsTo(server.url, key)];
    const statuses: number[] = [];
    const startedAt = performance.now();
    const callers = Array.from({ length: 16 }, async (_, caller) => {
      for (let call = 0; call < 50; call += 1) {
        statuses.push((await (targets[caller % 2] as typeof app).rest(...exists, key)).status);
      }
    });
    await Promise.all(callers);
    // 800 calls, on most machines in less than a window: its quota is let through, and no more.
    const windows = 1 + Math.floor((performance.now() - startedAt) / 10_000);
    const passed = statuses.filter((status) => status === 200).length;
    expect(passed).toBeGreaterThanOrEqual(400);
    expect(passed).toBeLessThanOrEqual(400 * windows);
    expect(statuses.filter((status) => status === 429)).toHaveLength(800 - passed);
  });
});

describe('failed authorizations', () => {
  const limits = { ...unlimited, failedAuthLimit: 5 };

  test('beyond the limit of an address are 429, over both transports, and a valid key is never', async () => {
    await using app = await startApp({ limits });
    const types = [];
    for (const key of ['x', null, 'y', 'x', null]) types.push((await app.rest(...exists, key)).error?.type);
    expect(types).toEqual(['invalid_key', 'missing_key', 'invalid_key', 'invalid_key', 'missing_key']);
    for (const transport of ['rest', 'trpc'] as const) {
      for (const key of ['x', null]) {
        const { status, error, headers } = await app[transport](...exists, key);
        expect([status, error?.type]).toEqual([429, 'rate_limited']);
        expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
        expect(headers.get('www-authenticate')).toBeNull();
      }
      expect((await app[transport](...exists)).status).toBe(200);
    }
  });

  test('are counted by the address that a trusted proxy tells, an IPv6 network as one', async () => {
    const fail = async (app: Awaited<ReturnType<typeof startApp>>, address: string) =>
      (await app.fetch('/keys', { headers: { authorization: 'x', 'x-forwarded-for': address } })).status;
    await using trusting = await startApp({ limits: { ...limits, trustProxy: (_, distance) => distance < 1 } });
    for (let call = 0; call < 5; call += 1) expect(await fail(trusting, '192.0.2.1')).toBe(401);
    expect(await fail(trusting, '192.0.2.1')).toBe(429);
    expect(await fail(trusting, '192.0.2.2')).toBe(401);
    // What a caller writes in front of the proxy's own entry counts for nothing.
    expect(await fail(trusting, '192.0.2.3, 192.0.2.1')).toBe(429);
    for (let host = 1; host <= 5; host += 1) expect(await fail(trusting, `2001:db8:0:1::${host}`)).toBe(401);
    expect(await fail(trusting, '2001:db8:0:1:ffff::1')).toBe(429);
    expect(await fail(trusting, '2001:db8:0:2::1')).toBe(401);
    await using plain = await startApp({ limits });
    for (let call = 1; call <= 5; call += 1) expect(await fail(plain, `192.0.2.${call}`)).toBe(401);
    expect(await fail(plain, '192.0.2.9')).toBe(429);
  });
});

describe('pages of other origins', () => {
  const origin = 'https://panel.example';
  const preflight = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization',
  };

  test('may not call unless CORS_ORIGINS names them', async () => {
    await using app = await startApp();
    const asked = await app.fetch('/tickets/create', { method: 'OPTIONS', headers: preflight });
    expect(asked.status).toBe(405);
    const answer = await app.fetch('/health/live', { headers: { origin } });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('that are named may, over both transports, and no others', async () => {
    await using app = await startApp({ corsOrigins: [origin] });
    for (const path of ['/tickets/create', '/trpc/tickets.create']) {
      const { status, headers } = await app.fetch(path, { method: 'OPTIONS', headers: preflight });
      expect([status, headers.get('access-control-allow-origin')]).toEqual([204, origin]);
      expect(headers.get('access-control-allow-headers')).toContain('Authorization');
      const foreign = await app.fetch(path, {
        method: 'OPTIONS',
        headers: { ...preflight, origin: 'https://other.example' },
      });
      expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
    }
    for (const path of [`/tickets/get/id/${shortId()}`, '/keys', '/nowhere']) {
      const { headers } = await app.fetch(path, { headers: { origin } });
      expect(headers.get('access-control-allow-origin')).toBe(origin);
      expect(headers.get('access-control-expose-headers')).toContain('Retry-After');
      expect(headers.get('vary')).toContain('Origin');
    }
    expect((await app.fetch('/tickets/create', { method: 'OPTIONS', headers: {} })).status).toBe(405);
  });
});

test('what is answered is not kept by caches, and not guessed to be something else', async () => {
  await using app = await startApp();
  for (const path of ['/keys', '/trpc/keys.list?input={}', `/user/exists/discordId/${snowflake()}`, '/nowhere']) {
    const { headers } = await app.fetch(path);
    expect([headers.get('cache-control'), headers.get('x-content-type-options')]).toEqual(['no-store', 'nosniff']);
  }
});
