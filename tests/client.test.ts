import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { type ClientOptions, CounterfoilError, createClient, isCounterfoilError, pages } from '@counterfoil/client';
import { getUntypedClient } from '@trpc/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTicket } from './contract.ts';
import { type App, issueKey, procedures, shortId, snowflake, startApp } from './harness.ts';
import { refusal, startScriptedProxy } from './scripted-proxy.ts';
import { until } from './server-process.ts';

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app[Symbol.asyncDispose]());

/** A client that reaches the service through a proxy. */
async function viaProxy(options: Partial<ClientOptions> = {}) {
  const proxy = await startScriptedProxy(app.port);
  const counterfoil = createClient({ url: proxy.url, key: app.key, ...options });
  return { proxy, counterfoil, [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose]() };
}

/** What a call ends with; throws where it succeeds. */
async function errorOf(call: Promise<unknown>): Promise<CounterfoilError> {
  const error = await call.then(
    () => expect.fail('the call succeeded'),
    (thrown: unknown) => thrown,
  );
  if (!isCounterfoilError(error)) throw error;
  return error;
}

/** The input of the only call of a request. */
function inputOf({ body }: { body: string }) {
  const input = JSON.parse(body);
  return input[0] ?? input;
}

async function createdTicket() {
  const { ticket } = await app.client().tickets.create.mutate(newTicket());
  return ticket;
}

const uuid = expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
const html = { status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Welcome to nginx!</h1>' };

describe('ids', () => {
  test('a create whose answers are lost is one ticket: its ids are made once, before the first attempt', async () => {
    await using via = await viaProxy();
    via.proxy.script('lose', 'lose');
    const { ticketId: _, ...input } = newTicket();
    const { ticket } = await via.counterfoil.tickets.create.mutate(input);
    const [first, ...others] = via.proxy.requests.map(inputOf);
    expect(first).toEqual({ ...input, ticketId: uuid, commandId: uuid });
    expect(others).toEqual([first, first]);
    expect(ticket).toMatchObject({ ticketId: first.ticketId, version: 1 });
    const { data } = await app.rest('tickets.count', { guildId: input.guildId });
    expect(data.count).toBe(1);
  });

  test('a claim whose answer is lost answers changed: true, and has one entry in the history', async () => {
    await using via = await viaProxy();
    const { ticketShortId } = await createdTicket();
    via.proxy.script('lose');
    const claim = { shortId: ticketShortId, discordId: snowflake() };
    expect(await via.counterfoil.tickets.claim.mutate(claim)).toMatchObject({ changed: true });
    const [first, second] = via.proxy.requests.map(inputOf);
    expect(first).toEqual({ ...claim, commandId: uuid });
    expect(second).toEqual(first);
    const { history } = await via.counterfoil.tickets.history.query({ shortId: ticketShortId });
    expect(history.map(({ type, commandId }) => [type, commandId])).toEqual([
      ['create', uuid],
      ['claim', first.commandId],
    ]);
  });

  test('every procedure that takes such an id gets one, and every call another', async () => {
    await using via = await viaProxy({ batch: false, retries: 0 });
    const untyped = getUntypedClient(via.counterfoil);
    const taking = Object.entries(procedures).map(([path, { _def }]) => {
      // biome-ignore lint/suspicious/noExplicitAny: tRPC does not tell the types of the schemas that it keeps.
      const { inputs = [] } = _def as any;
      const fields = inputs.flatMap((schema: { shape?: object }) => Object.keys(schema.shape ?? {}));
      return [path, fields.filter((field: string) => /^(commandId|ticketId|noteId)$/.test(field))] as const;
    });
    expect(taking.filter(([, ids]) => ids.length > 0).length).toBeGreaterThan(10);
    for (const [path, ids] of taking) {
      if (procedures[path]?._def.type !== 'mutation') continue;
      via.proxy.requests.length = 0;
      via.proxy.always(refusal(400, 'validation_failed'));
      await errorOf(untyped.mutation(path, {}));
      await errorOf(untyped.mutation(path, {}));
      const [first, second] = via.proxy.requests.map(inputOf);
      expect(Object.keys(first).sort(), path).toEqual([...ids].sort());
      for (const id of ids) expect(first[id]).not.toBe(second[id]);
    }
  });

  test("the caller's own ids are kept", async () => {
    await using via = await viaProxy();
    const input = { ...newTicket(), commandId: randomUUID() };
    await via.counterfoil.tickets.create.mutate(input);
    expect(via.proxy.requests.map(inputOf)).toEqual([input]);
  });
});

describe('retries', () => {
  test('a connection that breaks is tried again, four times, then it is connection_failed', async () => {
    await using via = await viaProxy();
    const { ticketShortId } = await createdTicket();
    via.proxy.script('drop', 'drop');
    expect(await via.counterfoil.tickets.get.query({ shortId: ticketShortId })).toMatchObject({ ticketShortId });
    expect(via.proxy.requests).toHaveLength(3);
    via.proxy.always('drop');
    const error = await errorOf(via.counterfoil.tickets.get.query({ shortId: ticketShortId }));
    expect(error).toMatchObject({ type: 'connection_failed', code: null, requestId: null });
    expect(error.message).toContain(`No answer from ${via.proxy.url}: `);
    expect(via.proxy.requests).toHaveLength(3 + 5);
  });

  test('rate_limited and every 503 are tried again, when Retry-After says so', async () => {
    await using via = await viaProxy();
    const { ticketShortId } = await createdTicket();
    via.proxy.script(
      refusal(429, 'rate_limited', { 'retry-after': '1' }),
      refusal(503, 'outcome_unknown', { 'retry-after': '1' }),
      refusal(503, 'shutting_down', { 'retry-after': '0' }),
    );
    await via.counterfoil.tickets.close.mutate({ shortId: ticketShortId });
    const [first, second, third, fourth] = via.proxy.requests.map(({ at }) => at);
    expect(via.proxy.requests).toHaveLength(4);
    // A timer may be a millisecond early.
    expect(Number(second) - Number(first)).toBeGreaterThan(995);
    expect(Number(third) - Number(second)).toBeGreaterThan(995);
    expect(fourth).toBeDefined();
  });

  test('calls beyond the rate limit of a key wait for their turn', async () => {
    const key = await issueKey('read', { rateLimit: 1 });
    const statuses: number[] = [];
    const counterfoil = createClient({
      url: app.url,
      key,
      batch: false,
      async fetch(url, init) {
        const response = await fetch(url, init);
        statuses.push(response.status);
        return response;
      },
    });
    const read = () => counterfoil.users.exists.query({ discordId: snowflake() });
    // The limit is of ten seconds: ten at once are let through.
    await Promise.all(Array.from({ length: 12 }, read));
    expect(statuses).toContain(429);
    expect(statuses.filter((status) => status === 200)).toHaveLength(12);
  });

  test('a Retry-After of more than 30 seconds is told at once', async () => {
    await using via = await viaProxy();
    via.proxy.script(refusal(429, 'rate_limited', { 'retry-after': '31' }));
    const error = await errorOf(via.counterfoil.tickets.get.query({ shortId: 'any' }));
    expect(error).toMatchObject({ type: 'rate_limited', code: 429, retryAfterMs: 31_000, requestId: 'scripted' });
    expect(via.proxy.requests).toHaveLength(1);
  });

  test('a cooldown is a rule: told at once, with when it ends', async () => {
    await using via = await viaProxy();
    const { ticketType, guildId, ticketOwner } = newTicket();
    await via.counterfoil.channels.create.mutate({ ticketType, guildId, channelId: snowflake() });
    await via.counterfoil.channels.update.mutate({ ticketType, guildId, cooldownSeconds: 20 });
    await via.counterfoil.tickets.create.mutate({ ticketType, guildId, ticketOwner });
    via.proxy.requests.length = 0;
    const error = await errorOf(via.counterfoil.tickets.create.mutate({ ticketType, guildId, ticketOwner }));
    expect(error).toMatchObject({ type: 'cooldown', code: 429, retryAfterMs: expect.any(Number) });
    expect(via.proxy.requests).toHaveLength(1);
  });

  test('a refusal that is the answer is not tried again', async () => {
    await using via = await viaProxy();
    const error = await errorOf(via.counterfoil.tickets.get.query({ shortId: shortId() }));
    expect(error).toMatchObject({ type: 'ticket_not_found', code: 404, requestId: uuid });
    expect(via.proxy.requests).toHaveLength(1);
  });

  test.each(['keys.create', 'keys.rotate'])('%s is never tried again', async (path) => {
    await using via = await viaProxy();
    for (const fate of ['drop', refusal(503, 'overloaded'), refusal(429, 'rate_limited')] as const) {
      via.proxy.requests.length = 0;
      via.proxy.script(fate);
      await errorOf(getUntypedClient(via.counterfoil).mutation(path, { name: 'bot' }));
      expect(via.proxy.requests).toHaveLength(1);
    }
  });

  test('an attempt takes timeoutMs at most', async () => {
    await using via = await viaProxy({ timeoutMs: 3_000, retries: 1 });
    const { ticketShortId } = await createdTicket();
    via.proxy.script('hold', 'pass', 'hold', 'hold');
    expect(await via.counterfoil.tickets.get.query({ shortId: ticketShortId })).toMatchObject({ ticketShortId });
    const error = await errorOf(via.counterfoil.tickets.get.query({ shortId: ticketShortId }));
    expect(error).toMatchObject({ type: 'timed_out', code: null });
    expect(error.message).toBe(`No answer from ${via.proxy.url} within 3000 ms.`);
    expect(via.proxy.requests).toHaveLength(4);
    // The request itself is ended too.
    await until(() => via.proxy.requests.filter(({ gone }) => gone).length === 3);
  });

  test.each([502, 503, 504])("a proxy's page of HTML with status %i is tried again", async (status) => {
    await using via = await viaProxy({ retries: 1 });
    const { ticketShortId } = await createdTicket();
    via.proxy.script({ ...html, status });
    expect(await via.counterfoil.tickets.get.query({ shortId: ticketShortId })).toMatchObject({ ticketShortId });
    via.proxy.always({ ...html, status });
    const error = await errorOf(via.counterfoil.tickets.get.query({ shortId: ticketShortId }));
    expect(error).toMatchObject({ type: 'unexpected_response', code: status });
  });
});

describe('an answer of somebody else is unexpected_response', () => {
  test.each([
    ['a page of HTML', html],
    ['nothing', { status: 204, body: '' }],
    ['JSON of another kind', { status: 404, body: '{"message":"no Route matched with those values"}' }],
    ['an error of another tRPC server', { status: 401, body: '{"error":{"message":"no","code":-32001,"data":{}}}' }],
    ['a list of something', { status: 200, body: '[1,2]' }],
    ['an error that is null', { status: 200, body: '{"error":null}' }],
    ['a redirection', { status: 308, headers: { location: 'http://127.0.0.1:9/' }, body: '' }],
  ])('%s', async (_, fate) => {
    await using via = await viaProxy();
    for (const counterfoil of [via.counterfoil, createClient({ url: via.proxy.url, key: app.key, batch: false })]) {
      via.proxy.script(fate);
      const error = await errorOf(counterfoil.tickets.get.query({ shortId: 'any' }));
      expect(error).toMatchObject({ type: 'unexpected_response', code: fate.status });
    }
    expect(via.proxy.requests).toHaveLength(2);
  });

  test('fewer answers than calls', async () => {
    await using via = await viaProxy();
    via.proxy.script({ status: 200, body: '[{"result":{"data":{"exists":true}}}]' });
    const discordId = snowflake();
    const [first, second] = await Promise.allSettled([
      via.counterfoil.users.exists.query({ discordId }),
      via.counterfoil.users.exists.query({ discordId }),
    ]);
    expect(first).toMatchObject({ status: 'fulfilled' });
    expect(second).toMatchObject({ reason: { type: 'unexpected_response' } });
  });

  test('what HTTP itself is refused for keeps its type', async () => {
    const error = await errorOf(app.client().tickets.get.query({ shortId: 'x'.repeat(20_000) }));
    expect(error).toMatchObject({ type: 'headers_too_large', code: 431, requestId: uuid });
  });
});

describe('several addresses', () => {
  test.each(['drop', 'hold', refusal(503, 'shutting_down'), { ...html, status: 502 }] as const)(
    'a client moves on when one is away, and stays on the one that answers (%j)',
    async (fate) => {
      await using one = await startScriptedProxy(app.port);
      await using other = await startScriptedProxy(app.port);
      const counterfoil = createClient({ url: [one.url, other.url], key: app.key, timeoutMs: 3_000 });
      const read = () => counterfoil.users.exists.query({ discordId: snowflake() });
      one.script(fate);
      // Calls that find it away together move on together, not twice.
      await Promise.all([read(), read(), read()]);
      for (let call = 0; call < 3; call += 1) await read();
      expect(one.requests).toHaveLength(1);
      other.always('drop');
      await read();
      expect(one.requests).toHaveLength(2);
    },
  );

  test('a client asks the next address at once, however long the first one asks it to wait', async () => {
    await using one = await startScriptedProxy(app.port);
    await using other = await startScriptedProxy(app.port);
    const counterfoil = createClient({ url: [one.url, other.url], key: app.key });
    one.always(refusal(503, 'shutting_down', { 'retry-after': '3600' }));
    expect(await counterfoil.users.exists.query({ discordId: snowflake() })).toEqual({ exists: false });
    expect([one.requests.length, other.requests.length]).toEqual([1, 1]);
  });

  test('a call that finds out late that an address is away does not move the client on once more', async () => {
    await using one = await startScriptedProxy(app.port);
    await using two = await startScriptedProxy(app.port);
    await using three = await startScriptedProxy(app.port);
    const counterfoil = createClient({ url: [one.url, two.url, three.url], key: app.key, timeoutMs: 3_000 });
    const read = () => counterfoil.users.exists.query({ discordId: snowflake() });
    one.script('hold', 'drop');
    two.script('drop');
    const late = read();
    await until(() => one.requests.length === 1);
    await read();
    await late;
    expect([one.requests.length, two.requests.length, three.requests.length]).toEqual([2, 1, 2]);
  });

  test('where all are away, the last error is thrown', async () => {
    await using one = await startScriptedProxy(app.port);
    await using other = await startScriptedProxy(app.port);
    const counterfoil = createClient({ url: [one.url, other.url], key: app.key, retries: 1 });
    one.always('drop');
    other.always(refusal(503, 'database_unavailable'));
    const error = await errorOf(counterfoil.users.exists.query({ discordId: snowflake() }));
    expect(error).toMatchObject({ type: 'database_unavailable', code: 503 });
  });

  test('rate_limited is of the key, not of the address', async () => {
    await using one = await startScriptedProxy(app.port);
    await using other = await startScriptedProxy(app.port);
    const counterfoil = createClient({ url: [one.url, other.url], key: app.key });
    one.script(refusal(429, 'rate_limited', { 'retry-after': '0' }));
    await counterfoil.users.exists.query({ discordId: snowflake() });
    expect([one.requests.length, other.requests.length]).toEqual([2, 0]);
  });

  test('a path of an address is kept', async () => {
    await using via = await viaProxy();
    const counterfoil = createClient({ url: `${via.proxy.url}/behind/a-proxy/`, key: app.key });
    await errorOf(counterfoil.users.exists.query({ discordId: snowflake() }));
    expect(via.proxy.requests[0]?.path).toMatch(/^\/behind\/a-proxy\/trpc\/users\.exists\?/);
  });
});

describe('abort', () => {
  test('ends a call at once while it waits for an answer, and its request', async () => {
    // Longer than the test waits: it is the abort that ends the request.
    await using via = await viaProxy({ timeoutMs: 100_000 });
    via.proxy.always('hold');
    const abort = new AbortController();
    const call = errorOf(via.counterfoil.tickets.get.query({ shortId: 'any' }, { signal: abort.signal }));
    await until(() => via.proxy.requests.length === 1);
    abort.abort();
    expect(await call).toMatchObject({ type: 'aborted', code: null });
    await until(() => via.proxy.requests[0]?.gone === true);
  });

  test('ends a call at once while it waits for its next attempt, which is not made', async () => {
    await using via = await viaProxy();
    via.proxy.script(refusal(503, 'overloaded', { 'retry-after': '2' }));
    const abort = new AbortController();
    const call = errorOf(via.counterfoil.tickets.get.query({ shortId: 'any' }, { signal: abort.signal }));
    await until(() => via.proxy.requests.length === 1);
    await sleep(100);
    abort.abort(new Error('enough'));
    expect(await call).toMatchObject({ type: 'aborted' });
    await sleep(2_500);
    expect(via.proxy.requests).toHaveLength(1);
  });

  test('before the call: nothing is sent', async () => {
    await using via = await viaProxy();
    const call = via.counterfoil.tickets.close.mutate({ shortId: 'any' }, { signal: AbortSignal.abort() });
    expect(await errorOf(call)).toMatchObject({ type: 'aborted' });
    await via.counterfoil.users.exists.query({ discordId: snowflake() });
    expect(via.proxy.requests.map(({ path }) => path)).toEqual([expect.stringContaining('users.exists')]);
  });

  test('leaves the others of its batch alone', async () => {
    await using via = await viaProxy();
    via.proxy.script('hold');
    const abort = new AbortController();
    const discordId = snowflake();
    const aborted = errorOf(via.counterfoil.users.exists.query({ discordId }, { signal: abort.signal }));
    const other = via.counterfoil.users.exists.query({ discordId });
    await until(() => via.proxy.requests.length === 1);
    abort.abort();
    expect(await aborted).toMatchObject({ type: 'aborted' });
    via.proxy.letGo();
    expect(await other).toEqual({ exists: false });
    expect(via.proxy.requests).toHaveLength(1);
  });
});

describe('batches', () => {
  const count = (requests: { path: string }[]) =>
    requests.map(({ path }) => path.replace(/\?.*/, '').split(',').length).sort((a, b) => b - a);

  test('calls of the same tick go together, at most ten; without batches each by itself', async () => {
    await using via = await viaProxy();
    const read = () => via.counterfoil.users.exists.query({ discordId: snowflake() });
    await Promise.all(Array.from({ length: 25 }, read));
    expect(count(via.proxy.requests)).toEqual([10, 10, 5]);
    via.proxy.requests.length = 0;
    const single = createClient({ url: via.proxy.url, key: app.key, batch: false });
    const discordId = snowflake();
    await Promise.all([single.users.exists.query({ discordId }), single.users.exists.query({ discordId })]);
    expect(via.proxy.requests.map(({ path }) => path)).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/^\/trpc\/users\.exists\?input=/)),
    );
  });

  test('an error stays with its own call', async () => {
    await using via = await viaProxy();
    const { ticketShortId } = await createdTicket();
    const read = (shortIdOfCall: string) => via.counterfoil.tickets.get.query({ shortId: shortIdOfCall });
    const outcomes = await Promise.allSettled([
      read(ticketShortId),
      read(shortId()),
      read(''),
      // @ts-expect-error: JSON has no such numbers.
      read(1n),
      read(ticketShortId),
    ]);
    expect(outcomes).toMatchObject([
      { value: { ticketShortId } },
      { reason: { type: 'ticket_not_found', code: 404 } },
      { reason: { type: 'validation_failed', code: 400, issues: [{ path: 'shortId' }] } },
      { reason: { type: 'validation_failed', code: null, issues: [{ path: '' }] } },
      { value: { ticketShortId } },
    ]);
    expect(via.proxy.requests).toHaveLength(1);
  });

  test('commands that are too large together go one by one', async () => {
    await using via = await viaProxy();
    const guildId = snowflake();
    const create = () =>
      via.counterfoil.tickets.create.mutate({ ...newTicket(), guildId, ticketData: { text: '"'.repeat(30_000) } });
    await Promise.all(Array.from({ length: 10 }, create));
    expect(await via.counterfoil.tickets.count.query({ guildId })).toEqual({ count: 10, exact: true });
  });

  test('queries that are too long together go apart', async () => {
    await using via = await viaProxy();
    const guildId = snowflake();
    const search = (length: number) =>
      via.counterfoil.tickets.list.query({ guildId, q: '😀'.repeat(length).concat(' word') });
    await Promise.all([...Array.from({ length: 10 }, () => search(100)), search(195)]);
    expect(Math.max(...via.proxy.requests.map(({ path }) => path.length))).toBeLessThan(6_100);
    expect(count(via.proxy.requests).length).toBeGreaterThan(2);
  });

  test('each call is tried again for itself', async () => {
    await using via = await viaProxy();
    const { ticketShortId } = await createdTicket();
    const { ticketShortId: otherShortId } = await createdTicket();
    via.proxy.script('lose');
    const discordId = snowflake();
    const outcomes = await Promise.all(
      [ticketShortId, otherShortId].map((each) => via.counterfoil.tickets.claim.mutate({ shortId: each, discordId })),
    );
    expect(outcomes).toMatchObject([{ changed: true }, { changed: true }]);
    expect(via.proxy.requests.length).toBeGreaterThan(1);
  });

  test("a Retry-After is not taken from another call's error", async () => {
    await using via = await viaProxy();
    const error = (status: number, type: string) => ({
      error: { message: type, code: -1, data: { httpStatus: status, type } },
    });
    via.proxy.script({
      status: 429,
      headers: { 'retry-after': '3600' },
      body: JSON.stringify([error(429, 'cooldown'), error(429, 'rate_limited')]),
    });
    const { ticketShortId } = await createdTicket();
    const [cooldown, passed] = await Promise.allSettled([
      via.counterfoil.tickets.get.query({ shortId: ticketShortId }),
      via.counterfoil.tickets.get.query({ shortId: ticketShortId }),
    ]);
    expect(cooldown).toMatchObject({ reason: { type: 'cooldown', retryAfterMs: 3_600_000 } });
    expect(passed).toMatchObject({ value: { ticketShortId } });
  });
});

describe('the key', () => {
  /** Everything that can be seen of a value, also of what it hides. */
  const see = (value: unknown) =>
    [inspect(value, { depth: Infinity, showHidden: true, showProxy: true }), inspect(value), String(value)].join('\n');

  test('is in no error', async () => {
    await using via = await viaProxy({ retries: 0, timeoutMs: 3_000 });
    const read = (input = 'any') => via.counterfoil.tickets.get.query({ shortId: input });
    const echo = {
      status: 401,
      body: JSON.stringify({ error: { message: app.key, code: -1, data: { type: app.key } } }),
    };
    const fates = ['drop', 'hold', html, { ...html, body: app.key }, echo, refusal(503, 'overloaded')] as const;
    const errors: CounterfoilError[] = [];
    for (const fate of fates) {
      via.proxy.script(fate);
      errors.push(await errorOf(read()));
    }
    errors.push(await errorOf(read(app.key)));
    const telling = createClient({
      url: via.proxy.url,
      key: app.key,
      retries: 0,
      fetch: (_, init) => Promise.reject(Object.assign(new Error(`no luck with ${inspect(init)}`), { init })),
    });
    errors.push(await errorOf(telling.tickets.get.query({ shortId: 'any' })));
    const throwing = createClient({
      url: via.proxy.url,
      key: app.key,
      retries: 0,
      fetch(_, init) {
        throw new Error(`no luck with ${inspect(init)}`);
      },
    });
    errors.push(await errorOf(throwing.tickets.get.query({ shortId: 'any' })));
    expect(errors.at(-1)).toMatchObject({ type: 'connection_failed' });
    expect(errors.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['connection_failed', 'timed_out', 'unexpected_response', 'ticket_not_found']),
    );
    for (const error of errors) {
      expect(see(error)).not.toContain(app.key);
      expect(JSON.stringify(error)).not.toContain(app.key);
      expect(error.stack).not.toContain(app.key);
    }
  });

  test('cannot be seen in a client', async () => {
    const counterfoil = createClient({ url: app.url, key: app.key });
    await counterfoil.users.exists.query({ discordId: snowflake() });
    for (const value of [counterfoil, counterfoil.tickets, getUntypedClient(counterfoil)]) {
      expect(see(value)).not.toContain(app.key);
    }
  });

  test('is not repeated where an option is refused', () => {
    const options = { url: `http://${app.key}@127.0.0.1`, key: `${app.key}\n`, [app.key]: 1 };
    expect(() => createClient(options)).toThrow(TypeError);
    try {
      createClient({ url: `http://${app.key}@127.0.0.1`, key: `${app.key}\n` });
    } catch (error) {
      expect(see(error)).not.toContain(app.key);
    }
  });
});

describe('options', () => {
  test.each([
    ['url', { url: 'localhost:4000' }],
    ['url', { url: 'ftp://127.0.0.1' }],
    ['url', { url: '' }],
    ['url', { url: undefined }],
    ['url.0', { url: [] }],
    ['url.1', { url: ['http://127.0.0.1', 'nowhere'] }],
    ['url', { url: 'http://user:password@127.0.0.1' }],
    ['url', { url: 'http://127.0.0.1/?a=1' }],
    ['url', { url: 'http://127.0.0.1/#a' }],
    ['key', { key: undefined }],
    ['key', { key: '' }],
    ['key', { key: 'cfl_key\n' }],
    ['key', { key: 'clé' }],
    ['batch', { batch: 'yes' }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: '1000' }],
    ['timeoutMs', { timeoutMs: 2 ** 31 }],
    ['retries', { retries: -1 }],
    ['retries', { retries: Infinity }],
    ['fetch', { fetch: 'fetch' }],
    ['userAgent', { userAgent: 'a\nb' }],
    ['apiKey', { apiKey: 'cfl' }],
  ])('a bad %s is refused by its name (%j)', (name, bad) => {
    const options = { url: 'http://127.0.0.1:4000', key: 'cfl_key', ...bad } as ClientOptions;
    expect(() => createClient(options)).toThrow(TypeError);
    expect(() => createClient(options)).toThrow(`The options of the client are not valid. ${name}: `);
  });

  test('no options at all are refused too', () => {
    // @ts-expect-error: they are needed.
    expect(() => createClient()).toThrow('Expected an object of options');
  });

  test('a fetch of the caller sends the requests, with the version in the User-Agent', async () => {
    await using via = await viaProxy();
    const sent: string[] = [];
    const counterfoil = createClient({
      url: via.proxy.url,
      key: app.key,
      userAgent: 'my-bot/2.0',
      fetch(url, init) {
        sent.push(String(url));
        return fetch(url, init);
      },
    });
    await counterfoil.users.exists.query({ discordId: snowflake() });
    await via.counterfoil.users.exists.query({ discordId: snowflake() });
    expect(sent).toHaveLength(1);
    expect(via.proxy.requests.map(({ headers }) => headers['user-agent'])).toEqual([
      expect.stringMatching(/^my-bot\/2\.0 counterfoil-client\/\d+\.\d+\.\d+$/),
      expect.stringMatching(/^counterfoil-client\/\d+\.\d+\.\d+$/),
    ]);
  });
});

describe('pages', () => {
  test('of more tickets than one page may hold: each once, by whole pages', async () => {
    const counterfoil = app.client();
    const guildId = snowflake();
    const made = await Promise.all(
      Array.from({ length: 120 }, () => counterfoil.tickets.create.mutate({ ...newTicket(), guildId })),
    );
    const sizes: number[] = [];
    const seen = new Set<string>();
    for await (const { tickets } of pages((cursor) => counterfoil.tickets.list.query({ guildId, limit: 50, cursor }))) {
      sizes.push(tickets.length);
      for (const { ticketId } of tickets) seen.add(ticketId);
    }
    expect(sizes).toEqual([50, 50, 20]);
    expect(seen).toEqual(new Set(made.map(({ ticket }) => ticket.ticketId)));
  });

  test('of a history and of blocks; an empty list is one empty page; what is left is not read', async () => {
    await using via = await viaProxy();
    const { ticketShortId, guildId } = await createdTicket();
    for (const label of ['a', 'b', 'c']) {
      await via.counterfoil.tickets.update.mutate({ shortId: ticketShortId, labels: [label] });
    }
    const seqs: number[][] = [];
    const readHistory = (cursor?: string) =>
      via.counterfoil.tickets.history.query({ shortId: ticketShortId, limit: 3, cursor });
    for await (const { history } of pages(readHistory)) seqs.push(history.map(({ seq }) => seq));
    expect(seqs).toEqual([[1, 2, 3], [4]]);

    const lists: unknown[] = [];
    for await (const { blocks } of pages((cursor) => via.counterfoil.blocks.list.query({ guildId, cursor }))) {
      lists.push(blocks);
    }
    expect(lists).toEqual([[]]);

    via.proxy.requests.length = 0;
    for await (const _ of pages(readHistory)) break;
    expect(via.proxy.requests).toHaveLength(1);
  });

  test('end with the error of a page', async () => {
    const counterfoil = app.client();
    const all = pages((cursor) => counterfoil.tickets.history.query({ shortId: shortId(), cursor }));
    expect(await errorOf(all.next())).toMatchObject({ type: 'ticket_not_found' });
  });
});

test('errors are told apart by their type, and carry what belongs to it', async () => {
  const counterfoil = app.client();
  const { ticketShortId } = await createdTicket();
  const claimer = snowflake();
  await counterfoil.tickets.claim.mutate({ shortId: ticketShortId, discordId: claimer });
  const error = await errorOf(counterfoil.tickets.claim.mutate({ shortId: ticketShortId, discordId: snowflake() }));
  expect(error).toBeInstanceOf(CounterfoilError);
  expect(error).toMatchObject({
    name: 'CounterfoilError',
    message: `Ticket "${ticketShortId}" is already claimed by ${claimer}.`,
    type: 'ticket_already_claimed',
    code: 409,
    requestId: uuid,
    issues: undefined,
    details: { claimedBy: claimer },
    // As of any error of a tRPC client.
    data: { code: 'CONFLICT', httpStatus: 409, path: 'tickets.claim' },
  });
  expect(isCounterfoilError(error, 'ticket_closed')).toBe(false);
  expect(isCounterfoilError(error, 'ticket_already_claimed') && error.details.claimedBy).toBe(claimer);
  expect(isCounterfoilError(new Error('ticket_already_claimed'))).toBe(false);
});
