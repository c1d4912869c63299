import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hashKey, makeKey } from 'counterfoil/keys/secret';
import { redact } from 'counterfoil/operations/logger';
import { mongo } from 'mongoose';
import { describe, expect, inject, test } from 'vitest';
import { newTicket } from './contract.ts';
import { callsTo, shortId, snowflake } from './harness.ts';
import { startMongod } from './mongod.ts';
import { startServer, until } from './server-process.ts';

const environmentKey = 'operations-test-key-of-the-environment';

/** Runs the real server with a database of its own on the shared mongod, or on `mongodbUri`. */
async function start(mongodbUri?: string) {
  const uri = new URL(mongodbUri ?? inject('mongodbUri'));
  uri.pathname = `/operations-${shortId()}`;
  const server = await startServer({ env: { MONGODB_URI: uri.href, COUNTERFOIL_KEY: environmentKey } });
  const client = new mongo.MongoClient(uri.href);
  return {
    ...server,
    ...callsTo(server.url, environmentKey),
    get: (path: string, headers: Record<string, string> = {}) => fetch(server.url + path, { headers }),
    db: client.db(),
    async issueKey(scope: string) {
      const { keyId: _id, key } = makeKey();
      const secrets = [{ hash: hashKey(key), validUntil: null }];
      const fields = { name: 'test', scope, guildIds: null, createdAt: new Date(), expiresAt: null, revokedAt: null };
      await client
        .db()
        .collection<{ _id: string; secrets: object[] }>('keys')
        .insertOne({ _id, secrets, ...fields });
      return { keyId: _id, key };
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await client.close();
    },
  };
}

/** How long it took to answer, in milliseconds, and what. */
async function timed<T>(work: Promise<T>): Promise<T & { ms: number }> {
  const startedAt = performance.now();
  return { ...(await work), ms: performance.now() - startedAt };
}

describe.concurrent('while the database is away', () => {
  test('killed: 503 within 6 s and never 401 or 404, not ready but live; back when it is back', async () => {
    await using mongod = await startMongod();
    await using server = await start(mongod.uri);
    const { key } = await server.issueKey('write');
    const ticket = newTicket();
    await server.rest('tickets.create', ticket);
    const read = ['tickets.get', { shortId: ticket.ticketShortId }] as const;
    const lost = { ...newTicket(), ticketShortId: shortId() };

    // Sent, and killed before it could be answered; the key is believed for a second, so it is not asked for.
    await server.rest(...read, key);
    await mongod.freeze();
    const cut = [server.rest(...read, key), server.trpc(...read, key), server.rest('tickets.create', lost, key)].map(
      timed,
    );
    await sleep(300);
    await mongod.kill();
    const answers = await Promise.all(cut);
    for (const { status, headers, ms } of answers) {
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(ms).toBeLessThan(6000);
    }
    const types = answers.map(({ error }) => error?.type);
    expect(types).toEqual(['database_unavailable', 'database_unavailable', 'outcome_unknown']);

    const unknown = makeKey().key;
    const later = await Promise.all(
      [environmentKey, key, unknown].flatMap((withKey) => [
        timed(server.rest(...read, withKey)),
        timed(server.trpc(...read, withKey)),
        timed(server.rest('tickets.create', lost, withKey)),
        timed(server.trpc('tickets.claim', { shortId: ticket.ticketShortId, discordId: snowflake() }, withKey)),
      ]),
    );
    for (const { status, error, ms } of later) {
      expect({ status, type: error?.type }).toEqual({ status: 503, type: 'database_unavailable' });
      expect(ms).toBeLessThan(6000);
    }
    expect((await server.rest(...read, null)).error?.type).toBe('missing_key');
    expect((await server.rest(...read, 'no key of ours')).error?.type).toBe('invalid_key');
    const ready = await server.get('/health/ready');
    expect([ready.status, ready.headers.get('retry-after')]).toEqual([503, '1']);
    expect(await ready.json()).toMatchObject({ error: { type: 'database_unavailable' } });
    expect((await server.get('/health/live')).status).toBe(200);

    await mongod.restart();
    await until(async () => (await server.get('/health/ready')).status === 200);
    expect((await server.rest(...read, key)).status).toBe(200);
    expect(await server.rest('tickets.create', lost, key)).toMatchObject({ status: 200, data: { created: true } });
    expect((await server.rest(...read, unknown)).status).toBe(401);
    const causes = server.log().filter(({ status }) => status === 503);
    expect(causes.length).toBeGreaterThan(12);
    for (const { err } of causes) expect(err).toMatchObject({ type: expect.stringContaining('Mongo') });
  });

  test('a server that steps down, shuts down or takes too long is the database away, for reads and keys too', async () => {
    await using mongod = await startMongod();
    await using server = await start(mongod.uri);
    const { key } = await server.issueKey('write');
    for (const code of [189, 10107, 13436, 11602, 134, 262, 50]) {
      await mongod.fail(['find'], { errorCode: code });
      for (const answer of [
        await server.rest('tickets.get', { shortId: 'x' }),
        await server.trpc('tickets.get', { shortId: 'x' }),
        await server.rest('tickets.get', { shortId: 'x' }, key),
      ]) {
        expect({ code, status: answer.status, type: answer.error?.type }).toEqual({
          code,
          status: 503,
          type: 'database_unavailable',
        });
      }
    }
    await mongod.fail([]);
    expect((await server.rest('tickets.get', { shortId: 'x' }, key)).status).toBe(404);
  });

  test('frozen: the same, and a command that was sent has an unknown outcome; repeating it is safe', async () => {
    await using mongod = await startMongod();
    await using server = await start(mongod.uri);
    const { key } = await server.issueKey('write');
    const ticket = newTicket();
    const read = ['tickets.get', { shortId: ticket.ticketShortId }] as const;
    await server.rest(...read);
    await mongod.freeze();
    const answers = await Promise.all([
      timed(server.rest(...read)),
      timed(server.trpc(...read, key)),
      timed(server.rest('tickets.create', ticket)),
      timed(server.trpc('tickets.create', ticket)),
    ]);
    const types = answers.map(({ error }) => error?.type);
    expect(types).toEqual(['database_unavailable', 'database_unavailable', 'outcome_unknown', 'outcome_unknown']);
    for (const { ms } of answers) expect(ms).toBeLessThan(6000);
    expect((await server.get('/health/ready')).status).toBe(503);
    mongod.thaw();
    await until(async () => (await server.get('/health/ready')).status === 200);
    expect(await server.rest('tickets.create', ticket)).toMatchObject({
      status: 200,
      data: { ticket: { version: 1 } },
    });
    expect(await server.db.collection('tickets').countDocuments()).toBe(1);
  });
});

/** The value of a line of the Prometheus text, or undefined. */
function metric(text: string, line: string): number | undefined {
  const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length));
}

describe.concurrent('operations', () => {
  test('metrics count by route and status and follow the pool, and no label holds an id', async () => {
    await using server = await start();
    const ticket = newTicket();
    const { ticketShortId: id, guildId } = ticket;
    // What the server says of its pool is what the database says of that application's connections.
    const open = async () =>
      metric(await (await server.get('/metrics')).text(), 'counterfoil_database_connections{state="open"}');
    expect(await open()).toBe(1);
    await server.rest('tickets.create', ticket);
    for (let count = 0; count < 3; count += 1) await server.rest('tickets.get', { shortId: id });
    await server.trpc('tickets.get', { shortId: id });
    await server.rest('tickets.get', { shortId: `${id}x` });
    await server.get(`/nowhere/${id}`);
    await server.get(`/trpc/${id}`);
    await server.get(`/docs/${id}`);
    const text = await (await server.get('/metrics')).text();
    const count = (labels: string) => metric(text, `counterfoil_http_requests_total{${labels}}`);
    expect(count('route="/tickets/create",status="200"')).toBe(1);
    expect(count('route="/tickets/get/id/{shortId}",status="200"')).toBe(3);
    expect(count('route="/tickets/get/id/{shortId}",status="404"')).toBe(1);
    expect(count('route="trpc tickets.get",status="200"')).toBe(1);
    const latency = 'counterfoil_http_request_duration_seconds';
    expect(metric(text, `${latency}_count{route="/tickets/get/id/{shortId}"}`)).toBe(4);
    expect(metric(text, `${latency}_bucket{le="10",route="/tickets/get/id/{shortId}"}`)).toBe(4);
    expect(metric(text, `${latency}_sum{route="/tickets/get/id/{shortId}"}`)).toBeGreaterThan(0.0005);
    for (const name of [id, guildId, ticket.ticketId]) expect(text).not.toContain(name);

    // One hears of the changes of keys, all the time.
    expect(metric(text, 'counterfoil_database_connections{state="in_use"}')).toBe(1);
    await Promise.all(Array.from({ length: 8 }, () => server.rest('tickets.get', { shortId: id })));
    const grown = await open();
    expect(grown).toBeGreaterThan(1);
    expect(grown).toBeLessThanOrEqual(8);
    expect(
      metric(await (await server.get('/metrics')).text(), 'counterfoil_database_connections{state="in_use"}'),
    ).toBe(1);
  });

  test('metrics are for this machine, and through a proxy for an admin key alone', async () => {
    await using server = await start();
    const type = async (headers: Record<string, string>) => {
      const response = await server.get('/metrics', headers);
      return response.status === 200
        ? response.headers.get('content-type')
        : ((await response.json()) as { error: { type: string } }).error.type;
    };
    expect(await type({})).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via', 'x-forwarded-proto', 'cf-connecting-ip']) {
      expect(await type({ [name]: '127.0.0.1' })).toBe('missing_key');
    }
    const forwarded = { 'x-forwarded-for': '127.0.0.1' };
    expect(await type({ ...forwarded, authorization: 'not-a-key' })).toBe('invalid_key');
    expect(await type({ ...forwarded, authorization: (await server.issueKey('write')).key })).toBe(
      'insufficient_scope',
    );
    expect(await type({ ...forwarded, authorization: (await server.issueKey('admin')).key })).toMatch(/^text\/plain/);
  });

  test('the log has one line a request, with no key and nothing that callers wrote', async () => {
    await using server = await start();
    const { key, keyId } = await server.issueKey('write');
    const ticket = { ...newTicket(), ticketData: '{"note":"confidential"}' };
    const get = `/tickets/get/id/${ticket.ticketShortId}`;
    await server.rest('tickets.create', ticket, key);
    await server.get(get, { authorization: `Bearer ${key}`, 'x-request-id': 'my-own.id_1' });
    await server.get(get, { authorization: 'bad-key-of-a-caller' });
    await server.trpc('tickets.get', { shortId: ticket.ticketShortId });
    await server.get(`/nowhere/${ticket.ticketShortId}?key=${key}`);
    await until(() => server.log().length === 5);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const line = { level: 30, time, requestId: expect.any(String), ms: expect.any(Number), msg: 'request' };
    const route = '/tickets/get/id/{shortId}';
    expect(server.log()).toEqual([
      { ...line, method: 'POST', route: '/tickets/create', status: 200, keyId },
      { ...line, requestId: 'my-own.id_1', method: 'GET', route, status: 200, keyId },
      { ...line, method: 'GET', route, status: 401, keyId: null },
      { ...line, method: 'GET', route: 'trpc tickets.get', status: 200, keyId: 'environment' },
      { ...line, method: 'GET', route: 'unknown', status: 404, keyId: null },
    ]);
    const secrets = [
      key,
      environmentKey,
      'bad-key',
      'confidential',
      ticket.ticketId,
      ticket.guildId,
      ticket.ticketShortId,
    ];
    for (const secret of secrets) expect(server.stdout()).not.toContain(secret);
  });

  test("a failure of ours is logged with its cause, and the caller learns nothing but the log's request id", async () => {
    await using server = await start();
    // The database's own words on this failure quote the text that it refuses.
    await server.db.command({ collMod: 'tickets', validator: { ticketData: { $type: 'int' } } });
    const ticket = { ...newTicket(), ticketData: '{"note":"confidential"}' };
    for (const transport of ['rest', 'trpc'] as const) {
      const { status, error } = await server[transport]('tickets.create', ticket);
      expect(status).toBe(500);
      expect(error).toMatchObject({
        type: 'internal',
        message: 'Something went wrong here. It is logged under this requestId.',
      });
      await until(() => server.log().some(({ requestId }) => requestId === error?.requestId));
      const line = server.log().find(({ requestId }) => requestId === error?.requestId);
      expect(line).toMatchObject({ level: 50, status: 500 });
      expect(JSON.stringify(line.err)).toContain('Document failed validation');
      expect(JSON.stringify(line.err)).toContain('server/tickets');
    }
    expect(server.stdout()).not.toContain('confidential');
  });

  test('keys and the credentials of connection strings are taken out of what is logged', () => {
    const { key } = makeKey();
    expect(redact(`${key} at mongodb+srv://me:a/b@c d@host/db, ${key}`)).toBe(
      '[redacted] at mongodb+srv://[redacted]@host/db, [redacted]',
    );
  });

  test('broken and odd requests are answered in the envelope, and none blocks its connection', async () => {
    await using server = await start();
    const create = `POST /tickets/create HTTP/1.1\r\nHost: a\r\nAuthorization: ${environmentKey}\r\nContent-Type: application/json\r\n`;
    const cases: [string, number, string | undefined][] = [
      ['BROKEN\r\n\r\n', 400, 'invalid_encoding'],
      ['GET /health/live HTTP/9.9\r\nHost: a\r\n\r\n', 400, 'invalid_encoding'],
      ['GET /a\0b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'invalid_encoding'],
      ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'invalid_encoding'],
      [`GET /health/live HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
      [`${create}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400, 'invalid_encoding'],
      [`${create}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`, 400, 'invalid_encoding'],
      ['GET /health/live HTTP/1.0\r\n\r\n', 200, undefined],
      ['GET /health/live HTTP/1.1\r\n\r\n', 200, undefined],
      ['GET // HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'route_not_found'],
      ['GET http://other.example HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'route_not_found'],
      ['GET http://other.example/health/live HTTP/1.1\r\nHost: a\r\n\r\n', 200, undefined],
      ['GET http://other.example/tickets/get/id/x HTTP/1.1\r\nHost: a\r\n\r\n', 401, 'missing_key'],
      ['GET http://[/x HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'route_not_found'],
      ['GET http://[/docs/x HTTP/1.1\r\nHost: [\r\n\r\n', 404, 'route_not_found'],
      ['OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'route_not_found'],
      ['CONNECT other.example:443 HTTP/1.1\r\nHost: a\r\n\r\n', 404, 'route_not_found'],
      ['GET /health/live HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n', 200, undefined],
      ['GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n', 200, undefined],
    ];
    const answers = await Promise.all(cases.map(([request]) => exchange(server.url, request)));
    for (const [place, [request, status, type]] of cases.entries()) {
      const [answer, ...others] = answers[place] ?? [];
      expect({ request, others, ...answer }).toMatchObject({ request, others: [], status });
      if (type) expect(answer?.body.error).toMatchObject({ code: status, type, requestId: answer?.requestId });
      expect(answer?.requestId).toMatch(/^[0-9a-f-]{36}$/);
    }
    const named = await exchange(
      server.url,
      `${create}X-Request-Id: mine\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`,
    );
    expect(named).toMatchObject([{ status: 400, requestId: 'mine' }]);
    const read = `GET /tickets/get/id/x HTTP/1.1\r\nHost: a\r\nAuthorization: ${environmentKey}\r\n\r\n`;
    expect(await exchange(server.url, `${read}BROKEN\r\n\r\n`)).toMatchObject([{ status: 404 }, { status: 400 }]);
    expect((await server.get('/health/live')).status).toBe(200);
  });

  test('connections whose request was broken are not kept for callers that keep their half', async () => {
    await using server = await start();
    const files = async () => metric(await (await server.get('/metrics')).text(), 'process_open_fds') ?? 0;
    const before = await files();
    const port = Number(new URL(server.url).port);
    const sockets = Array.from({ length: 20 }, () => connect({ port, host: '127.0.0.1', allowHalfOpen: true }));
    for (const socket of sockets) socket.resume().write('BROKEN\r\n\r\n');
    await Promise.all(sockets.map((socket) => once(socket, 'end')));
    await until(async () => (await files()) < before + 10, 5000);
    for (const socket of sockets) socket.destroy();
  });

  test('a request that does not come to its end is answered 408 within 20 s', async () => {
    await using server = await start();
    const create =
      'POST /tickets/create HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nX-Request-Id: mine\r\n';
    const authorized = `${create}Authorization: ${environmentKey}\r\nContent-Length: 10\r\n\r\n{`;
    const startedAt = Date.now();
    const [body, head] = await Promise.all([
      exchange(server.url, authorized, 20_000),
      exchange(server.url, create, 20_000),
    ]);
    expect(body).toMatchObject([{ status: 408, requestId: 'mine', body: { error: { type: 'request_timeout' } } }]);
    expect(head).toMatchObject([{ status: 408, body: { error: { type: 'request_timeout' } } }]);
    expect(Date.now() - startedAt).toBeLessThan(20_000);
    await until(() => server.log().length > 0);
    expect(server.log()).toMatchObject([{ route: '/tickets/create', status: 408, requestId: 'mine' }]);
  });

  test('a log that nobody reads any more does not keep a process from its end', async () => {
    const program = `
      import { createLogger } from 'counterfoil/operations/logger';
      const logger = createLogger('info');
      process.stdin.once('data', () => { logger.info('the last line'); process.exit(0); });`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], timeout: 20_000 });
    child.stdout.destroy();
    child.stdin.write('now');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});

/** Sends bytes, and reads every answer until the service ends the connection, or is silent for a second. */
async function exchange(url: string, bytes: string, patience = 1000) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket.write(bytes);
  await Promise.race([once(socket, 'close'), sleep(patience, undefined, { ref: false })]);
  socket.destroy();
  return text.split(/(?=HTTP\/1\.1 \d)/).map((answer) => {
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    const [, status] = /^HTTP\/1\.1 (\d+)/.exec(head) ?? [];
    const [, requestId] = /^x-request-id: (.*)$/im.exec(head) ?? [];
    return { status: Number(status), requestId, body: JSON.parse(body) };
  });
}
