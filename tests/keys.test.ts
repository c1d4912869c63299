import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { acceptEnvironmentKey } from 'counterfoil/keys/authenticate';
import { Key } from 'counterfoil/keys/model';
import { hashKey, keyIdOf, makeKey } from 'counterfoil/keys/secret';
import { set } from 'mongoose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type App, issueKey, procedures, startApp } from './harness.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app[Symbol.asyncDispose]());

const existing = '/user/exists/discordId/123456789012345678';
const call = '/trpc/users.exists?input={"discordId":"123456789012345678"}';

async function ask(authorization: string | null, path = existing) {
  const headers = authorization === null ? {} : { authorization };
  const response = await fetch(app.url + path, { headers: { ...headers, 'x-request-id': 'same' } });
  return { status: response.status, challenge: response.headers.get('www-authenticate'), text: await response.text() };
}

/** Sends header lines as they are, which fetch would merge, and answers the status line and the body. */
async function askRaw(...lines: string[]): Promise<string> {
  const socket = connect(app.port, '127.0.0.1');
  socket.write([`GET ${existing} HTTP/1.1`, 'Host: x', 'Connection: close', ...lines, '', ''].join('\r\n'));
  let answer = '';
  for await (const chunk of socket) answer += chunk;
  return answer;
}

test('a key has the documented form, and its checksum is checked', () => {
  for (let round = 0; round < 1000; round += 1) {
    const { keyId, key } = makeKey();
    expect(key).toMatch(/^cfl_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}$/);
    expect(keyIdOf(key)).toBe(keyId);
    const place = 4 + (round % 47);
    const other = key[place] === 'a' ? 'b' : 'a';
    if (place !== 12) expect(keyIdOf(key.slice(0, place) + other + key.slice(place + 1))).toBeNull();
  }
});

test('a key is stored as its hash only', async () => {
  const key = await issueKey('read');
  const stored = await Key.findById(key.slice(4, 12)).lean();
  expect(stored?.secrets).toEqual([{ hash: hashKey(key), validUntil: null }]);
  expect(JSON.stringify(stored)).not.toContain(key.slice(13));
});

test('<key> and Bearer <key> are equal, over REST and tRPC', async () => {
  for (const path of [existing, call]) {
    for (const form of [app.key, `Bearer ${app.key}`, `bearer ${app.key}`, `BEARER  ${app.key}`]) {
      expect(await ask(form, path)).toMatchObject({ status: 200 });
    }
  }
});

test('without a key every procedure is 401 missing_key, over REST and tRPC', async () => {
  for (const [name, { _def }] of Object.entries(procedures)) {
    const method = _def.type === 'query' ? 'GET' : 'POST';
    const paths = [`/trpc/${name}`, _def.meta?.openapi?.path.replace(/\{\w+\}/g, 'x') ?? `/trpc/${name}`];
    for (const path of paths) {
      for (const headers of [{}, { authorization: '' }, { authorization: 'Bearer' }, { authorization: 'Bearer ' }]) {
        const response = await fetch(app.url + path, { method, headers: headers as Record<string, string> });
        expect({ path, status: response.status }).toEqual({ path, status: 401 });
        expect(response.headers.get('www-authenticate')).toBe('Bearer');
        const text = await response.text();
        expect(text).toContain('"missing_key"');
        expect(text).toContain('Please specify an authorization key!');
      }
    }
  }
});

test('malformed, unknown, revoked and expired keys cannot be told apart', async () => {
  const revoked = await issueKey('admin', { revokedAt: new Date() });
  const expired = await issueKey('admin', { expiresAt: new Date(Date.now() - 1) });
  const rotatedOut = await issueKey('admin');
  await Key.updateOne({ _id: rotatedOut.slice(4, 12) }, { 'secrets.0.validUntil': new Date(Date.now() - 1) });
  const sameId = `${app.key.slice(0, 13)}${makeKey().key.slice(13)}`;
  const wrong = [
    'x',
    `Basic ${app.key}`,
    `Bearer ${app.key} x`,
    `${app.key},${app.key}`,
    app.key.toUpperCase(),
    app.key.slice(0, -1),
    'x'.repeat(10_000),
    sameId,
    makeKey().key,
    revoked,
    expired,
    rotatedOut,
  ];
  for (const path of [existing, call]) {
    const [first, ...others] = await Promise.all(wrong.map((key) => ask(key, path)));
    expect(first).toMatchObject({ status: 401, challenge: 'Bearer' });
    expect(first?.text).toContain('"type":"invalid_key"');
    expect(first?.text).toContain('Invalid authorization Key!');
    for (const other of others) expect(other).toEqual(first);
  }
});

test('two Authorization headers are refused, even equal ones', async () => {
  const valid = `Authorization: ${app.key}`;
  expect(await askRaw(valid)).toContain('HTTP/1.1 200');
  expect(await askRaw(valid, valid)).toContain('"invalid_key"');
  expect(await askRaw(valid, 'authorization: x')).toContain('"invalid_key"');
  expect(await askRaw('authorization: x', valid)).toContain('"invalid_key"');
});

test('a wrong checksum is refused without a database call', async () => {
  const calls: string[] = [];
  set('debug', (collection: string, method: string) => calls.push(`${collection}.${method}`));
  const { key } = makeKey();
  expect(await ask(key)).toMatchObject({ status: 401 });
  expect(calls).toEqual(['keys.findOne']);
  const flipped = key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a');
  for (const wrong of [flipped, 'x'.repeat(51), key.toLowerCase(), 'x'.repeat(10_000)]) {
    expect(await ask(wrong)).toMatchObject({ status: 401 });
  }
  expect(calls).toEqual(['keys.findOne']);
  set('debug', false);
});

test('a key that is not yet out of date works, and a revocation is in force within a second', async () => {
  const key = await issueKey('read', { expiresAt: new Date(Date.now() + 60_000) });
  expect(await ask(key)).toMatchObject({ status: 200 });
  await Key.updateOne({ _id: key.slice(4, 12) }, { revokedAt: new Date() });
  await sleep(1000);
  expect(await ask(key)).toMatchObject({ status: 401 });
});

test('COUNTERFOIL_KEY is an admin key of any visible form', async () => {
  const key = 'an-old-bots-own-key:$%/"=+';
  expect(await ask(key)).toMatchObject({ status: 401 });
  acceptEnvironmentKey(key);
  expect(await ask(key)).toMatchObject({ status: 200 });
  expect(await ask(`Bearer ${key}`)).toMatchObject({ status: 200 });
  expect(await ask(app.key)).toMatchObject({ status: 200 });
  expect(await ask(`${key}x`)).toMatchObject({ status: 401 });
  acceptEnvironmentKey(undefined);
  expect(await ask(key)).toMatchObject({ status: 401 });
});
