import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTicket } from './contract.ts';
import { type App, issueKey, procedures, snowflake, startApp } from './harness.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app[Symbol.asyncDispose]());

const json = { 'content-type': 'application/json' };

/** Sends, and answers status, error type (of either transport) and headers. */
async function send(path: string, init: RequestInit = {}) {
  const response = await app.fetch(path, init);
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: whatever the service answers, the tests look at it.
  const body: any = text === '' ? undefined : JSON.parse(text);
  const type = body?.error?.data?.type ?? body?.error?.type;
  return { status: response.status, type, body, headers: response.headers };
}

async function create(fields: object = {}) {
  const { data } = await app.rest('tickets.create', { ...newTicket(), ...fields });
  return data.ticket;
}

const routes = Object.entries(procedures).flatMap(([name, { _def }]) =>
  _def.meta?.openapi ? [{ name, type: _def.type, ...structuredClone(_def.meta.openapi) }] : [],
);

describe('bodies', () => {
  const targets = ['/tickets/create', '/trpc/tickets.create'];

  test.each(targets)('%s takes application/json with and without parameters', async (path) => {
    for (const type of [
      'application/json',
      'application/json; charset=utf-8',
      'Application/JSON;charset="UTF-8"',
      'application/json ; charset=UTF-8; profile=x',
    ]) {
      const body = JSON.stringify(newTicket());
      expect(await send(path, { method: 'POST', body, headers: { 'content-type': type } })).toMatchObject({
        status: 200,
      });
    }
  });

  test.each(targets)('%s refuses other content types, charsets and encodings with 415', async (path) => {
    const body = JSON.stringify(newTicket());
    const wrong: Record<string, string>[] = [
      { 'content-type': 'text/plain' },
      { 'content-type': 'application/x-www-form-urlencoded' },
      { 'content-type': 'multipart/form-data; boundary=x' },
      { 'content-type': 'application/jsonx' },
      { 'content-type': 'application/octet-stream' },
      { 'content-type': 'application/json; charset=latin1' },
      { 'content-type': 'application/json; charset=utf-16' },
      { ...json, 'content-encoding': 'gzip' },
    ];
    for (const headers of wrong) {
      const bytes = headers['content-encoding'] ? gzipSync(body) : body;
      expect(await send(path, { method: 'POST', body: bytes, headers })).toMatchObject({
        status: 415,
        type: 'unsupported_media_type',
      });
    }
    const untyped = await send(path, { method: 'POST', body: new TextEncoder().encode(body) });
    expect(untyped).toMatchObject({ status: 415, type: 'unsupported_media_type' });
  });

  test.each(targets)('%s refuses what is not JSON with 400', async (path) => {
    for (const body of ['{', '', '   ', '{"a":1', "{'a':1}", '[1,]', new Uint8Array([0x22, 0xff, 0x22]), 'NaN']) {
      expect(await send(path, { method: 'POST', body, headers: json })).toMatchObject({
        status: 400,
        type: 'invalid_json',
      });
    }
  });

  test.each(targets)('%s refuses JSON that is no object with 400', async (path) => {
    for (const body of ['null', '"abc"', '[]', '5', 'true', '['.repeat(45_000) + ']'.repeat(45_000)]) {
      expect(await send(path, { method: 'POST', body, headers: json })).toMatchObject({
        status: 400,
        type: 'validation_failed',
      });
    }
  });

  test.each(targets)('%s refuses deep nesting in any field, and a polluted prototype', async (path) => {
    const deep = `${'{"a":'.repeat(30_000)}1${'}'.repeat(30_000)}`;
    for (const body of [
      deep,
      `{"ticketData":${deep}}`,
      '{"__proto__":{"polluted":1}}',
      '{"constructor":{"prototype":{}}}',
    ]) {
      expect(await send(path, { method: 'POST', body, headers: json })).toMatchObject({
        status: 400,
        type: 'validation_failed',
      });
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test.each(targets)('%s takes 256 KiB and refuses a byte more, with or without a length', async (path) => {
    const padded = (size: number) => {
      const text = JSON.stringify({ ...newTicket(), ticketData: {} });
      return text + ' '.repeat(size - text.length);
    };
    const stream = (text: string) => new Blob([text]).stream();
    const limit = 256 * 1024;
    for (const [body, status] of [
      [padded(limit), 200],
      [padded(limit + 1), 413],
      [stream(padded(limit)), 200],
      [stream(padded(limit + 1)), 413],
      [stream(padded(5 * limit)), 413],
    ] as const) {
      const init = { method: 'POST', body, headers: json, duplex: 'half' } as RequestInit;
      const answer = await send(path, init);
      expect(answer).toMatchObject({ status, type: status === 413 ? 'body_too_large' : undefined });
    }
  });

  test('a GET ignores its content type and a body', async () => {
    const { ticketShortId } = await create();
    const headers = { 'content-type': 'text/nonsense; charset=x' };
    expect(await send(`/tickets/get/id/${ticketShortId}`, { headers })).toMatchObject({ status: 200 });
    expect(await send(`/tickets/get/id/${ticketShortId}`, { headers: json })).toMatchObject({ status: 200 });
  });
});

describe('paths', () => {
  test('are percent-decoded once', async () => {
    for (const ticketShortId of ['a b', 'a/b', 'a%20b', '../x', 'ü😀', 'a+b', 'a?b#c', '%', 'a;b', 'a:b', "a'b"]) {
      const unique = `${ticketShortId} ${randomUUID()}`;
      await create({ ticketShortId: unique });
      const answer = await send(`/tickets/get/id/${encodeURIComponent(unique)}`);
      expect(answer).toMatchObject({ status: 200, body: { ticketShortId: unique } });
    }
    const plain = randomUUID();
    await create({ ticketShortId: `x${plain}` });
    expect(await send(`/tickets/g%65t/%69d/%78${plain}`)).toMatchObject({ status: 200 });
  });

  test('malformed escapes are 400, on every route with a parameter and in queries', async () => {
    for (const { path } of routes.filter(({ path: template }) => template.includes('{'))) {
      for (const part of ['%E0%A4%A', '%', '%zz', '%ff', '%C0%80', '%ED%A0%80']) {
        const target = path.replace(/\{\w+\}/g, part);
        expect(await send(target)).toMatchObject({ status: 400, type: 'invalid_encoding' });
      }
    }
    expect(await send('/tickets/get/name/x?guildId=%E0%A4%A')).toMatchObject({ status: 400, type: 'invalid_encoding' });
    expect(await send('/trpc/%E0%A4%A')).toMatchObject({ status: 400, type: 'invalid_encoding' });
  });

  test('a NUL in a path is a bad short id', async () => {
    expect(await send('/tickets/get/id/%00')).toMatchObject({ status: 400, type: 'validation_failed' });
    expect(await send('/tickets/get/id/%2e%2e')).toMatchObject({ status: 404 });
  });

  test('are case-sensitive, and one trailing slash is forgiven', async () => {
    const { ticketShortId } = await create();
    expect(await send(`/tickets/get/id/${ticketShortId}/`)).toMatchObject({ status: 200 });
    for (const path of [
      `/Tickets/get/id/${ticketShortId}`,
      `/tickets/get/id/${ticketShortId}//`,
      `/tickets//get/id/${ticketShortId}`,
      `//tickets/get/id/${ticketShortId}`,
      '/tickets/get/id',
      '/tickets/get/id/',
      '/HEALTH/live',
      '/nope',
      '/',
      '/trpc',
      '/trpc/',
      '/trpc/nope',
      '/trpc/constructor',
      '/trpc/__proto__',
      '/trpc/tickets',
      '/trpc/x/tickets.get',
      '/docs/nope.js',
    ]) {
      expect({ path, ...(await send(path)) }).toMatchObject({ path, status: 404, type: 'route_not_found' });
    }
  });

  test('HEAD works where GET does, without a body', async () => {
    const { ticketShortId } = await create();
    const input = encodeURIComponent(JSON.stringify({ shortId: ticketShortId }));
    for (const path of [
      `/tickets/get/id/${ticketShortId}`,
      `/trpc/tickets.get?input=${input}`,
      '/health/live',
      '/openapi.json',
      '/docs/',
    ]) {
      const [get, head] = [await app.fetch(path), await app.fetch(path, { method: 'HEAD' })];
      expect({ path, status: head.status }).toEqual({ path, status: 200 });
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'));
      expect(await head.text()).toBe('');
    }
    expect(await send('/tickets/create', { method: 'HEAD' })).toMatchObject({ status: 405 });
  });

  test('a wrong method is 405 with Allow, on every route', async () => {
    for (const { name, type, path } of routes) {
      const allow = type === 'query' ? 'GET, HEAD' : 'POST';
      for (const target of [path.replace(/\{\w+\}/g, '1'), `/trpc/${name}`]) {
        for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS', type === 'query' ? 'POST' : 'GET']) {
          // GET on it is the notes of a ticket with the short id "add".
          if (target === '/tickets/notes/add' && method === 'GET') continue;
          const answer = await send(target, { method, headers: { authorization: '' } });
          expect({ target, method, ...answer }).toMatchObject({ status: 405, type: 'method_not_allowed' });
          expect(answer.headers.get('allow')).toBe(target === '/tickets/notes/add' ? 'GET, HEAD, POST' : allow);
        }
      }
    }
    for (const path of ['/health/live', '/health/ready', '/metrics', '/openapi.json', '/docs/']) {
      const answer = await send(path, { method: 'POST' });
      expect({ path, ...answer }).toMatchObject({ status: 405 });
      expect(answer.headers.get('allow')).toBe('GET, HEAD');
    }
  });
});

describe('queries', () => {
  test('unknown and repeated fields are refused by name', async () => {
    const guildId = snowflake();
    for (const [query, path] of [
      ['x=1', 'x'],
      ['guildId=1', 'guildId'],
      [`guildId=${guildId}&guildId=${guildId}`, 'guildId'],
      ['guildId[]=1', 'guildId[]'],
      ['ticketName=y', 'ticketName'],
      ['__proto__=1', '__proto__'],
      ['constructor=1', 'constructor'],
      ['$where=1', '$where'],
    ]) {
      const { body, status } = await send(`/tickets/get/name/x?${query}`);
      expect({ query, status, issues: body.error.issues }).toMatchObject({ status: 400, issues: [{ path }] });
    }
    const text = await send('/tickets/create?x=1', { method: 'POST', body: '{}' });
    expect(text).toMatchObject({ status: 415 });
    const post = await send('/tickets/create?x=1', { method: 'POST', body: '{}', headers: json });
    expect(post).toMatchObject({ status: 400, body: { error: { issues: [{ path: 'x' }] } } });
  });
});

describe('the request id', () => {
  test('is on every response, kept where it is well-formed, and in every error', async () => {
    for (const path of [
      '/tickets/get/id/none',
      '/trpc/tickets.get?input={"shortId":"none"}',
      '/nope',
      '/health/live',
      '/docs/',
    ]) {
      const given = await send(path === '/docs/' ? '/nope' : path, { headers: { 'x-request-id': 'My_id.1-2' } });
      expect(given.headers.get('x-request-id')).toBe('My_id.1-2');
      const made = await app.fetch(path);
      expect(made.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
    const { headers, body } = await send('/nope', { headers: { 'x-request-id': 'a'.repeat(64) } });
    expect(headers.get('x-request-id')).toBe(body.error.requestId);
    for (const wrong of ['a'.repeat(65), 'a b', 'a,b', 'ä', '']) {
      const answer = await send('/nope', { headers: { 'x-request-id': wrong } });
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe('the order of refusals', () => {
  test('is route, method, key, body, scope, guild, ticket, conflict', async () => {
    const bound = await issueKey('read', { guildIds: [snowflake()] });
    const writer = await issueKey('write', { guildIds: [snowflake()] });
    const text = { 'content-type': 'text/plain' };
    const ticket = JSON.stringify(newTicket());
    const steps: [string, RequestInit & { headers: Record<string, string> }, string][] = [
      ['/tickets/nope', { method: 'PUT', headers: { authorization: 'x' } }, 'route_not_found'],
      ['/tickets/create', { method: 'PUT', body: '{', headers: { authorization: 'x' } }, 'method_not_allowed'],
      ['/tickets/create', { method: 'POST', body: '{', headers: { ...text, authorization: '' } }, 'missing_key'],
      ['/tickets/create', { method: 'POST', body: '{', headers: { ...text, authorization: 'x' } }, 'invalid_key'],
      ['/tickets/get/id/%ff', { headers: { authorization: 'x' } }, 'invalid_key'],
      [
        '/tickets/create',
        { method: 'POST', body: '{', headers: { ...text, authorization: bound } },
        'unsupported_media_type',
      ],
      [
        '/tickets/create',
        { method: 'POST', body: '{}', headers: { ...json, authorization: bound } },
        'validation_failed',
      ],
      [
        '/tickets/create',
        { method: 'POST', body: ticket, headers: { ...json, authorization: bound } },
        'insufficient_scope',
      ],
      [
        '/tickets/create',
        { method: 'POST', body: ticket, headers: { ...json, authorization: writer } },
        'guild_not_allowed',
      ],
    ];
    for (const [path, init, type] of steps) {
      expect({ path, ...(await send(path, init)) }).toMatchObject({ path, type });
      const call = path
        .replace('/tickets/create', '/trpc/tickets.create')
        .replace('/tickets/nope', '/trpc/tickets.nope');
      if (call !== path) expect({ call, ...(await send(call, init)) }).toMatchObject({ call, type });
    }
  });
});

describe('tRPC', () => {
  const input = (value: unknown) => encodeURIComponent(JSON.stringify(value));

  test('a batch answers each call for itself', async () => {
    const { ticketShortId } = await create();
    const calls = 'tickets.get,tickets.get,tickets.nope,constructor';
    const inputs = { 0: { shortId: ticketShortId }, 1: { shortId: 'nowhere' } };
    const { status, body } = await send(`/trpc/${calls}?batch=1&input=${input(inputs)}`);
    expect(status).toBe(207);
    expect(body).toMatchObject([
      { result: { data: { ticketShortId } } },
      { error: { data: { type: 'ticket_not_found' } } },
      { error: { data: { type: 'route_not_found' } } },
      { error: { data: { type: 'route_not_found' } } },
    ]);
  });

  test('a batch holds ten calls', async () => {
    const batch = (calls: number) => `/trpc/${Array(calls).fill('users.exists').join(',')}?batch=1&input=${input({})}`;
    expect((await send(batch(10))).body).toHaveLength(10);
    expect(await send(batch(11))).toMatchObject({ status: 400, type: 'batch_too_large' });
    expect(await send(batch(500))).toMatchObject({ status: 400, type: 'batch_too_large' });
  });

  test('a slash behind the path is forgiven, one in it is not', async () => {
    const query = `?input=${input({ shortId: 'nowhere' })}`;
    expect(await send(`/trpc/tickets.get/${query}`)).toMatchObject({ type: 'ticket_not_found' });
    expect(await send(`/trpc/x/tickets.get,tickets.get${query}`)).toMatchObject({ type: 'route_not_found' });
    const batch = await send(`/trpc/x/tickets.get,tickets.get?batch=1&input=${input({})}`);
    expect(batch.body[0].error.data.type).toBe('route_not_found');
  });

  test('nothing of the request but its calls and inputs has an effect', async () => {
    const path = `/trpc/tickets.get?input=${input({ shortId: 'nowhere' })}`;
    const odd: Record<string, string>[] = [
      { 'content-type': 'multipart/form-data; boundary=x' },
      { 'content-type': 'application/octet-stream' },
      { 'trpc-accept': 'application/jsonl' },
      { accept: 'text/event-stream' },
      { 'x-http-method-override': 'POST' },
    ];
    for (const headers of odd) {
      const answer = await send(path, { headers });
      expect(answer, JSON.stringify(headers)).toMatchObject({ status: 404, type: 'ticket_not_found' });
      expect(answer.headers.get('content-type')).toContain('application/json');
    }
  });

  test('unknown query fields and malformed escapes are refused', async () => {
    for (const query of ['&foo=1', '&connectionParams=x', '&__proto__=1']) {
      const answer = await send(`/trpc/tickets.get?input=${input({ shortId: 'x' })}${query}`);
      expect(answer).toMatchObject({ status: 400, type: 'validation_failed' });
    }
    expect(await send('/trpc/tickets.get?input={"shortId":"%E0%A4"}')).toMatchObject({ type: 'invalid_encoding' });
    expect(await send('/trpc/tickets.get?input=%7B')).toMatchObject({ type: 'invalid_json' });
  });

  test('without a key, a batch is refused as a whole', async () => {
    const answer = await send(`/trpc/tickets.get,tickets.get?batch=1`, { headers: { authorization: '' } });
    expect(answer).toMatchObject({ status: 401, type: 'missing_key' });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });

  test('broken inputs are 400 in our shape', async () => {
    for (const query of [
      'input={',
      'input=%7B',
      'batch=1&input=[]',
      'batch=1&input={',
      'input=5',
      '',
      'batch=1&input=null',
    ]) {
      const { status, type, body } = await send(`/trpc/tickets.get?${query}`);
      expect({ query, status }).toEqual({ query, status: 400 });
      const error = (Array.isArray(body) ? body[0] : body).error.data;
      expect(type ?? error.type).toMatch(/^(invalid_json|validation_failed)$/);
      expect(error.requestId).toMatch(/^[0-9a-f-]{36}$/);
      expect(error.stack).toBeUndefined();
    }
  });
});

test('the page of the API answers whatever headers a caller sends', async () => {
  for (const headers of [
    { range: 'bytes=99999999-' },
    { 'if-match': '"x"' },
    { 'if-unmodified-since': 'Mon, 01 Jan 1990 00:00:00 GMT' },
  ]) {
    expect((await app.fetch('/docs/page.js', { headers: headers as Record<string, string> })).status).toBe(200);
  }
  expect(await app.fetch('/docs')).toMatchObject({ status: 200, redirected: true });
});

test('what a caller made up comes back cut', async () => {
  const body = JSON.stringify(
    Object.fromEntries([['x'.repeat(100_000), 1], ...Array.from({ length: 5000 }, (_, n) => [`f${n}`, n])]),
  );
  const { body: answer } = await send('/tickets/close', { method: 'POST', body, headers: json });
  expect(answer.error.type).toBe('validation_failed');
  expect(JSON.stringify(answer).length).toBeLessThan(50_000);
});

test('old bots: the documented requests succeed unchanged', async () => {
  const guildId = snowflake();
  const ticketId = randomUUID();
  const [shortId, owner, claimer, channelId] = [`old-${ticketId}`, snowflake(), snowflake(), snowflake()];
  const headers = { 'Content-Type': 'application/json', Authorization: app.key };
  const post = (path: string, body: object, with_ = headers) =>
    send(path, { method: 'POST', headers: with_, body: JSON.stringify(body) });
  const get = (path: string) => send(path, { headers });
  const created = await post('/tickets/create', {
    ticketId,
    ticketType: 'support',
    ticketData: '{"topic":"help"}',
    guildId,
    ticketName: 'support-old',
    ticketShortId: shortId,
    ticketOwner: owner,
    claimedBy: '',
    claimed: false,
    closed: false,
  });
  expect(created).toMatchObject({ status: 200, body: { created: true, ticket: { ticketId, claimed: false } } });
  expect(await post('/tickets/claim', { shortId, discordId: claimer })).toMatchObject({ status: 200 });
  const { body: state } = await get(`/tickets/is/claimed/${shortId}`);
  expect(state).toMatchObject({ claimed: true, claimer: { discordId: claimer } });
  const isClaimer = await get(`/tickets/is/claimer/${state.claimer.userId}/${shortId}`);
  expect(isClaimer).toMatchObject({ status: 200, body: { isClaimer: true } });
  expect(await get(`/tickets/get/claimer/${shortId}`)).toMatchObject({ body: state.claimer });
  expect(await get(`/tickets/get/id/${shortId}`)).toMatchObject({ status: 200, body: { ticketId } });
  expect(await get('/tickets/get/name/support-old?guildId='.concat(guildId))).toMatchObject({ body: { ticketId } });
  const bearer = { 'Content-Type': 'application/json', Authorization: `Bearer ${app.key}` };
  const id = randomUUID();
  const channel = { id, ticketType: 'support', guildId, channelId };
  expect(await post('/tickets/create/channel', channel, bearer)).toMatchObject({
    status: 200,
    body: { created: true },
  });
  expect(await get(`/tickets/get/channel/support/${guildId}`)).toMatchObject({ status: 200, body: { id, channelId } });
  expect(await post('/tickets/close', { shortId })).toMatchObject({ status: 200, body: { closed: true } });
  const unauthorized = await fetch(`${app.url}/tickets/get/id/${shortId}`);
  expect(await unauthorized.json()).toMatchObject({ error: { message: 'Please specify an authorization key!' } });
  const wrong = await fetch(`${app.url}/tickets/get/id/${shortId}`, { headers: { authorization: 'wrong' } });
  expect(await wrong.json()).toMatchObject({ error: { message: 'Invalid authorization Key!' } });
});
