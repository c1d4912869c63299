import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCodes } from 'counterfoil/startup-error';
import { mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { callsTo, shortId, snowflake } from './harness.ts';
import { runCli, startServer, until } from './server-process.ts';

const environmentKey = 'cli-keys-test-key-of-the-environment';
const uri = new URL(inject('mongodbUri'));
uri.pathname = `/cli-keys-${shortId()}`;
let server: Awaited<ReturnType<typeof startServer>>;

beforeAll(async () => {
  server = await startServer({ env: { MONGODB_URI: uri.href, COUNTERFOIL_KEY: environmentKey } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  const client = await new mongo.MongoClient(uri.href).connect();
  await client.db().dropDatabase();
  await client.close();
});

const asEnvironment = { COUNTERFOIL_KEY: environmentKey };
const onTheDatabase = (...args: string[]) => runCli(['keys', ...args], { MONGODB_URI: uri.href });
const onTheServer = (...args: string[]) => runCli(['keys', ...args, '--server', `${server.url}/`], asEnvironment);

/** The status of a call with this key at the running server. */
async function statusOf(secret: string, url = server.url): Promise<number> {
  return (await callsTo(url, secret).rest('users.exists', { discordId: snowflake() })).status;
}

/** An address that answers every request in its own way; answers what it was asked. */
async function strangeServer(status: number, headers: Record<string, string> = {}) {
  const asked: (string | undefined)[] = [];
  const strange = createServer((req, res) => {
    asked.push(req.headers.authorization);
    res.writeHead(status, { 'content-type': 'text/html', ...headers }).end('<html>Hello</html>');
  }).listen(0, '127.0.0.1');
  await once(strange, 'listening');
  return {
    url: `http://127.0.0.1:${(strange.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      strange.closeAllConnections();
      strange.close();
      await once(strange, 'close');
    },
  };
}

describe.each([
  ['on the database itself', onTheDatabase, 'cli'],
  ['at a running server', onTheServer, 'environment'],
])('keys %s', (_where, keys, author) => {
  test('are made, listed, rotated and revoked', async () => {
    const [guild, other] = [snowflake(), snowflake()];
    const name = `Größe ${shortId()}`;
    const options = ['--name', name, '--scope', 'write', '--guild', guild, '--guild', other];
    const limits = ['--expires', '2099-01-31T01:00:00+01:00', '--rate-limit', '50'];
    const made = await keys('create', ...options, ...limits);
    expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^cfl_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}\n$/) });
    const secret = made.stdout.trim();
    const keyId = secret.slice(4, 12);
    expect(made.stderr).toContain(
      `Key ${keyId} "${name}": write, guilds ${guild}, ${other}, until 2099-01-31T00:00:00.000Z.`,
    );
    expect(made.stderr).not.toContain(secret.slice(13));
    expect(await statusOf(secret)).toBe(200);
    const [table, listed, rotated] = await Promise.all([
      keys('list'),
      keys('list', '--json'),
      keys('rotate', keyId, '--overlap-hours', '0', '--json'),
    ]);
    expect(table.stdout).toMatch(/^KEY +NAME +SCOPE +GUILDS +LIMIT +CREATED +LAST USED +ENDS\n/);
    const row = `${keyId} +${name} +write +${guild} \\+1 +50/s +\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d +\\S.* 2099-01-31 00:00\n`;
    expect(table.stdout).toMatch(new RegExp(row));
    const described = { keyId, name, scope: 'write', guildIds: [guild, other], rateLimit: 50 };
    expect(JSON.parse(listed.stdout).keys).toContainEqual(expect.objectContaining(described));
    const { secret: next, key } = JSON.parse(rotated.stdout);
    expect(key).toMatchObject({ ...described, expiresAt: '2099-01-31T00:00:00.000Z' });
    expect(rotated.stderr).not.toContain('secret');
    await until(async () => (await statusOf(secret)) === 401);
    expect(await statusOf(next)).toBe(200);

    const again = await keys('rotate', keyId);
    expect(again.stderr).toContain(`Key ${keyId} "${name}" has a new secret; the old one ends in 24 h.`);
    const last = again.stdout.trim();
    expect([await statusOf(next), await statusOf(last)]).toEqual([200, 200]);
    const revoked = await keys('revoke', keyId);
    expect(revoked).toMatchObject({ code: 0, stdout: `Key ${keyId} "${name}" is revoked.\n` });
    await until(async () => (await statusOf(last)) === 401);
    const twice = await Promise.all([keys('revoke', keyId), keys('revoke', keyId, '--json')]);
    expect(twice[0]).toMatchObject({ code: 0, stdout: expect.stringContaining('was revoked before, at 20') });
    expect(JSON.parse(twice[1].stdout)).toMatchObject({ changed: false, key: { keyId } });

    const { audit } = (await callsTo(server.url, environmentKey).rest('audit.list', { guildId: guild })).data;
    const trail = ['keys.revoke', 'keys.rotate', 'keys.rotate', 'keys.create'];
    expect(audit).toMatchObject(trail.map((action) => ({ action, keyId: author, target: keyId })));
  });

  test('what is refused is told in plain words, with code 1', async () => {
    const refused = await keys('rotate', 'XXXXXXXX');
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^Refused: There is no key XXXXXXXX in force\.\n$/);
  });
});

describe('at a server', () => {
  test('a key that is unknown there, or too narrow, is told from one that is missing', async () => {
    const guild = snowflake();
    const bound = await onTheServer('create', '--name', 'bound', '--scope', 'admin', '--guild', guild);
    const at = ['--server', server.url];
    const make = ['keys', 'create', '--name', 'x', '--scope', 'read', ...at];
    const [missing, unknown, narrow] = await Promise.all([
      runCli(make, {}),
      runCli(make, { COUNTERFOIL_KEY: 'another-key-of-the-environment' }),
      runCli(make, { COUNTERFOIL_KEY: bound.stdout.trim() }),
    ]);
    expect(missing).toMatchObject({ code: exitCodes.badConfiguration, stdout: '' });
    expect(missing.stderr).toContain('needs an admin key of that server in COUNTERFOIL_KEY');
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toBe(`${server.url} does not accept the key in COUNTERFOIL_KEY.\n`);
    expect(narrow).toMatchObject({ code: 1, stdout: '' });
    expect(narrow.stderr).toContain('This key may not act for all guilds');
  });

  test('that is away, or none of ours, it is said whether a key may have been made; the key goes nowhere else', async () => {
    await using strange = await strangeServer(502);
    await using elsewhere = await strangeServer(200);
    await using moved = await strangeServer(307, { location: elsewhere.url });
    const { url: closed, ...closing } = await strangeServer(200);
    await closing[Symbol.asyncDispose]();
    const make = ['keys', 'create', '--name', 'x', '--scope', 'read', '--server'];
    const [away, odd, redirected] = await Promise.all([
      runCli([...make, closed], asEnvironment),
      runCli([...make, strange.url], asEnvironment),
      runCli([...make, moved.url], asEnvironment),
    ]);
    const maybe = 'It may have been done all the same';
    for (const { code, stdout, stderr } of [away, odd, redirected]) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr.trim().split('\n')).toHaveLength(1);
    }
    expect(away.stderr).toContain(`${closed} did not answer: connect ECONNREFUSED`);
    expect(away.stderr).not.toContain(maybe);
    expect(odd.stderr).toContain(`${strange.url} does not answer as Counterfoil does.`);
    expect(odd.stderr).toContain(maybe);
    expect(redirected.stderr).toContain('redirect');
    expect([strange.asked.length, moved.asked.length, elsewhere.asked.length]).toEqual([1, 1, 0]);
  });
});

test('the way back in: with every admin key lost, one is made on the embedded database beside the service', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'counterfoil-keys-'));
  try {
    const env = { DATA_DIR: folder, MONGOD_BINARY: inject('mongod') };
    const none = await runCli(['keys', 'list'], env);
    expect(none).toMatchObject({ code: exitCodes.badConfiguration, stderr: expect.stringContaining('no database in') });
    await using service = await startServer({ env });
    const lost = (await readFile(join(folder, 'admin-key'), 'utf8')).trim();
    await runCli(['keys', 'revoke', lost.slice(4, 12)], env);
    await until(async () => (await statusOf(lost, service.url)) === 401);
    const { code, stdout } = await runCli(['keys', 'create', '--name', 'admin', '--scope', 'admin'], env);
    expect(code).toBe(0);
    const { status, data } = await callsTo(service.url, stdout.trim()).trpc('keys.list', {});
    expect(status).toBe(200);
    expect(data.keys.map(({ name }: { name: string }) => name)).toEqual(['admin', 'first start']);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe.concurrent('the options', () => {
  test.each([
    [[], 'create', 'list', 'rotate', 'revoke', 'never an argument', 'The way back in', 'MONGODB_URI'],
    [['create'], '--name <text>', '--scope <scope>', '--guild <id>', '--expires <time>', '--rate-limit <n>', '--json'],
  ])('keys %j --help says all', async (command, ...words) => {
    const { code, stdout, stderr } = await runCli(['keys', ...command, '--help'], {});
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of words) expect(stdout).toContain(word);
  });

  const create = ['create', '--name', 'x', '--scope', 'read'];
  test.each([
    [[], 'Usage: counterfoil keys'],
    [['create', '--scope', 'read'], "'--name <text>' not specified"],
    [['create', '--name', 'x', '--scope', 'owner'], 'Allowed choices are read, write, admin'],
    [
      [...create, '--guild', '1', '--guild', '2', '--expires', 'tomorrow', '--rate-limit', '0'],
      '--guild: Expected a Discord id: a string of 17 to 20 digits; --guild: Expected',
      '--expires: Expected a time in ISO 8601',
      '--rate-limit: Expected a whole number from 1 to 10000',
    ],
    [[...create, '--key', 'x'], "unknown option '--key'"],
    [['list', '--server', 'http://a:b@127.0.0.1'], 'The key belongs into COUNTERFOIL_KEY'],
    [['rotate', 'short', '--overlap-hours', '169'], '<keyId>: Expected', '--overlap-hours: Expected a whole number'],
  ])('keys %j is refused with code 2, before anything is asked', async (args, ...messages) => {
    const { code, stdout, stderr } = await runCli(['keys', ...args], {});
    expect({ code, stdout }).toEqual({ code: exitCodes.badConfiguration, stdout: '' });
    for (const message of messages) expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/at .*\.ts/);
  });
});
