import { readFile } from 'node:fs/promises';
import { connectDatabase } from 'counterfoil/database/connect';
import { migrate } from 'counterfoil/database/migrate';
import { Ticket } from 'counterfoil/tickets/model';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { newTicket } from './contract.ts';
import { neverTaken, type Target, targets, unknownFields } from './fuzz/inputs.ts';
import { issueKeys, type KeyKind } from './fuzz/keys.ts';
import { requestOf, type Shot, type Transport } from './fuzz/requests.ts';
import { createSender } from './fuzz/send.ts';
import { type App, issueKey, shortId, snowflake, startApp } from './harness.ts';

let app: App;
let keys: Record<KeyKind, string[]>;
let sender: ReturnType<typeof createSender>;
/** The collections that the service has asked something of, one for each command. */
const asked: unknown[] = [];

beforeAll(async () => {
  await connectDatabase(inject('mongodbUri'), (client) => {
    // The driver's types leave out that it may be set.
    Object.assign(client, { monitorCommands: true });
    client.on('commandStarted', ({ commandName, command }) => asked.push(command[commandName]));
  });
  await migrate(() => {});
  app = await startApp();
  keys = await issueKeys();
  sender = createSender(app.port, keys);
});
afterAll(async () => {
  sender.close();
  await app[Symbol.asyncDispose]();
});

const same: [string, string] = ['X-Request-Id', 'same'];

/** Sends with the same request id as all others; answers what came back, without its date. */
async function send(shot: Shot, key: KeyKind = 'admin') {
  const request = { ...shot, headers: [...shot.headers, same], key, kind: 'hostile' };
  const { status, headers, body } = await sender.send(request);
  const { date: _, ...others } = headers;
  return { status, headers: others, body };
}

/** Sends; answers the status, and of the error the type and the paths of what is wrong. */
async function refusal(shot: Shot, key?: KeyKind) {
  const { status, body } = await send(shot, key);
  const { error } = JSON.parse(body);
  const { type, issues = [] } = error?.data ?? error ?? { type: 'ok' };
  return { status, type, paths: issues.map(({ path }: { path: string }) => path), message: error?.message };
}

const transports = ['rest', 'trpc'] as const;
const queries = targets.filter(({ isQuery }) => isQuery);
const commands = targets.filter(({ isQuery }) => !isQuery);

/** Whether values arrive as they are, and not as the text of a path or a query. */
const isTyped = ({ isQuery }: Target, transport: Transport) => !isQuery || transport === 'trpc';

/** What single fields take after all: JSON of the caller's own, and a list of any texts. */
function isTaken(field: string, value: unknown): boolean {
  if (field === 'ticketData') return typeof value === 'object' && !Array.isArray(value);
  return field === 'labels' && JSON.stringify(value) === '["1"]';
}

function typesOf({ type, anyOf = [] }: Target['fields'][string]): unknown[] {
  return [type, ...anyOf.flatMap(typesOf)];
}

describe.each(transports)('inputs, over %s, for every procedure', (transport) => {
  const over = (target: Target, input: unknown) => requestOf(target, transport, input);
  const typed = targets.filter((target) => isTyped(target, transport));

  test.each(typed)('$name: operators, lists, objects and broken values are refused by field', async (target) => {
    const cases = Object.keys(target.fields).flatMap((field) =>
      neverTaken.filter((value) => !isTaken(field, value)).map((value) => ({ field, value })),
    );
    for (const { field, value } of cases) {
      const { status, type, paths } = await refusal(over(target, { ...target.example, [field]: value }));
      const [path = ''] = paths;
      expect({ field, value, status, type }).toEqual({ field, value, status: 400, type: 'validation_failed' });
      expect(path.split('.')[0]).toBe(field);
    }
  });

  test.each(typed)('$name: no text stands for a number or a boolean', async (target) => {
    for (const [field, schema] of Object.entries(target.fields)) {
      const types = typesOf(schema);
      const values = [
        ...(types.includes('boolean') ? ['false', 'true', '', 0, 1] : []),
        ...(types.includes('integer') || types.includes('number') ? ['12', '1', '', true, 1.5] : []),
      ];
      for (const value of values) {
        const { status, paths } = await refusal(over(target, { ...target.example, [field]: value }));
        expect({ field, value, status, paths }).toEqual({ field, value, status: 400, paths: [field] });
      }
    }
  });

  test.each(targets)('$name: unknown fields are refused by name', async (target) => {
    for (const field of unknownFields) {
      for (const value of ['1', { polluted: 1 }, { $ne: null }]) {
        const { status, paths } = await refusal(over(target, { ...target.example, [field]: value }));
        expect({ field, status, paths }).toEqual({ field, status: 400, paths: [field] });
      }
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});

describe('queries of REST, for every procedure', () => {
  test.each(targets)('$name: brackets, repetitions and what a body belongs in are refused', async (target) => {
    const { path = '', fields, isQuery, example } = target;
    const shot = requestOf(target, 'rest', example);
    const ask = async (query: string) => {
      const joint = shot.path.includes('?') ? '&' : '?';
      return refusal({ ...shot, path: `${shot.path}${joint}${query}` });
    };
    for (const field of Object.keys(fields)) {
      for (const name of [`${field}[$ne]`, `${field}[]`, `${field}.$ne`]) {
        expect(await ask(`${encodeURIComponent(name)}=1`)).toMatchObject({ status: 400, paths: [name] });
      }
      // A parameter of the path, or a field of a body, is none of the query.
      if (!isQuery || path.includes(`{${field}}`)) {
        expect(await ask(`${field}=1`)).toMatchObject({ status: 400, paths: [field] });
      } else {
        expect(await ask(`${field}=1&${field}=1`)).toMatchObject({
          status: 400,
          paths: expect.arrayContaining([field]),
        });
        expect(await ask(`${field}=%00`)).toMatchObject({ status: 400, type: 'validation_failed' });
        expect(await ask(`${field}=%ED%A0%80`)).toMatchObject({ status: 400, type: 'invalid_encoding' });
      }
    }
  });
});

describe('parameters of a path, for every procedure', () => {
  const parameters = queries.flatMap((target) =>
    [...(target.path ?? '').matchAll(/\{(\w+)\}/g)].map(([, field = '']) => ({ target, name: target.name, field })),
  );

  test.each(parameters)('$name: $field is decoded once', async ({ target, field }) => {
    const shot = requestOf(target, 'rest', { ...target.example, [field]: 'PLACE' });
    const put = (part: string) => refusal({ ...shot, path: shot.path.replace('PLACE', part) });
    expect(await put('%00')).toMatchObject({ status: 400, type: 'validation_failed', paths: [field] });
    const isText = target.fields[field]?.pattern?.startsWith('^[^');
    for (const part of [
      'a%20b',
      'a%2Fb',
      '..%2f',
      'a%252Fb',
      '%2e%2e%2f%2e%2e',
      '%E2%80%AEabc',
      '%24ne',
      '__proto__',
    ]) {
      const { status, type, message } = await put(part);
      if (!isText) expect({ part, status, type }).toEqual({ part, status: 400, type: 'validation_failed' });
      else
        expect({ part, status, message }).toEqual({
          part,
          status: 404,
          message: expect.stringContaining(`"${decodeURIComponent(part)}"`),
        });
    }
  });
});

describe.each(transports)('bodies, over %s, for every procedure', (transport) => {
  const json: [string, string] = ['Content-Type', 'application/json'];
  const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

  test.each(commands)('$name: what is no JSON object is refused', async (target) => {
    const shot = requestOf(target, transport, target.example);
    const cases: [string, string, string][] = [
      ['', 'application/json', 'invalid_json'],
      ['{', 'application/json', 'invalid_json'],
      ['{}{}', 'application/json', 'invalid_json'],
      ['"\xff"', 'application/json', 'invalid_json'],
      ['null', 'application/json', 'validation_failed'],
      ['"abc"', 'application/json', 'validation_failed'],
      ['[]', 'application/json', 'validation_failed'],
      [deep(45_000), 'application/json', 'validation_failed'],
      [`{"${Object.keys(target.fields)[0]}":${deep(45_000)}}`, 'application/json', 'validation_failed'],
      [' '.repeat(300_000), 'application/json', 'body_too_large'],
      [shot.body ?? '', 'application/json; charset=utf-16', 'unsupported_media_type'],
      [shot.body ?? '', 'text/plain', 'unsupported_media_type'],
    ];
    for (const [body, contentType, type] of cases) {
      const answer = await refusal({ ...shot, body, isBytes: true, headers: [['Content-Type', contentType]] });
      expect({ body: body.slice(0, 20), contentType, type: answer.type }).toEqual({
        body: body.slice(0, 20),
        contentType,
        type,
      });
    }
    const zipped = await refusal({ ...shot, headers: [json, ['Content-Encoding', 'gzip']] });
    expect(zipped).toMatchObject({ status: 415, type: 'unsupported_media_type' });
  });

  test.each(queries)('$name: a content type and a body are ignored', async (target) => {
    const shot = requestOf(target, transport, target.example);
    const plain = await send({ ...shot, headers: [] });
    for (const contentType of ['application/json', 'text/plain; charset=x']) {
      for (const body of ['', '{', '{"shortId":1}']) {
        const answer = await send({
          ...shot,
          body,
          headers: [
            ['Content-Type', contentType],
            ['Content-Encoding', 'gzip'],
          ],
        });
        expect(answer).toEqual(plain);
      }
    }
  });
});

describe('inputs and batches of tRPC', () => {
  test.each(queries)('$name: an input that is no object, or deep, is refused', async ({ name }) => {
    for (const input of ['null', '"abc"', '[]', '5', '['.repeat(7000) + ']'.repeat(7000)]) {
      const shot = { procedure: name, transport: 'trpc', method: 'GET', body: null, headers: [] } as const;
      const { status, type } = await refusal({ ...shot, headers: [], path: `/trpc/${name}?input=${input}` });
      expect({ input: input.slice(0, 9), status, type }).toEqual({
        input: input.slice(0, 9),
        status: 400,
        type: 'validation_failed',
      });
    }
  });

  test('more than ten calls are refused, whichever', async () => {
    const batches = [
      ...targets.map(({ name, isQuery }) => ({ calls: Array(11).fill(name), isQuery })),
      { calls: Array(2000).fill('a'), isQuery: true },
    ];
    for (const { calls, isQuery } of batches) {
      const path = `/trpc/${calls.join(',')}?batch=1`;
      const headers: [string, string][] = [['Content-Type', 'application/json']];
      const shot: Shot = {
        procedure: 'batch',
        transport: 'trpc',
        method: isQuery ? 'GET' : 'POST',
        body: isQuery ? null : '{}',
        headers,
        path,
      };
      expect(await refusal(shot)).toMatchObject({ status: 400, type: 'batch_too_large' });
    }
  });
});

test.each(targets)(
  '$name: wrong keys are refused with the same bytes, malformed ones without a database call',
  async (target) => {
    for (const transport of transports) {
      const shot = requestOf(target, transport, target.example);
      const first = await send(shot, 'unknown');
      expect(first).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
      expect(first.body).toContain('"type":"invalid_key"');
      for (const key of ['revoked', 'expired'] as const)
        expect({ key, ...(await send(shot, key)) }).toEqual({ key, ...first });
      asked.length = 0;
      for (const key of [
        'no key',
        'wrong checksum',
        'in capitals',
        'with a space',
        'given twice',
        'of 10 kB',
      ] as const) {
        expect({ key, ...(await send(shot, key)) }).toEqual({ key, ...first });
      }
      expect(asked).toEqual([]);
    }
  },
);

describe("a ticket of another guild is as one that does not exist: the same bytes, as many of the database's commands", () => {
  const named = ['shortId', 'ticketName'];
  const aboutTickets = targets.filter(({ required }) => required.some((field) => named.includes(field)));

  test.each(
    aboutTickets.flatMap((target) => transports.map((transport) => ({ target, transport, name: target.name }))),
  )('$name over $transport', async ({ target, transport }) => {
    const id = shortId();
    const guildId = snowflake();
    const ids = Object.fromEntries(
      named.filter((field) => target.required.includes(field)).map((field) => [field, id]),
    );
    const shot = requestOf(target, transport, { ...target.example, ...ids });
    const guildIds = [snowflake(), snowflake()];
    const issued = await Promise.all(
      (['read', 'write', 'admin'] as const).map((scope) => issueKey(scope, { guildIds })),
    );
    const observe = async (key: string) => {
      asked.length = 0;
      const answer = await send({ ...shot, headers: [...shot.headers, ['Authorization', key]] }, 'none');
      return { ...answer, commands: asked.filter((collection) => collection !== 'keys') };
    };
    // What a first call makes for good, such as a user, is made before what is compared.
    for (const key of issued) await observe(key);
    const missing = [];
    for (const key of issued) missing.push(await observe(key));
    const ticket = { ...newTicket(), guildId, ticketShortId: id, ticketName: id, claimedBy: snowflake() };
    expect(await app.rest('tickets.create', ticket)).toMatchObject({ status: 200 });
    const stored = await Ticket.findOne({ shortId: id }).lean();
    const hidden = [];
    for (const key of issued) hidden.push(await observe(key));
    expect(hidden).toEqual(missing);
    expect(await Ticket.findOne({ shortId: id }).lean()).toEqual(stored);
  });
});

/** For each procedure that lists by pages: makes what fills two of them, and answers the query that finds it. */
const fillings: Record<string, () => Promise<object>> = {
  async 'tickets.list'() {
    const guildId = snowflake();
    for (let n = 0; n < 3; n += 1) await app.rest('tickets.create', { ...newTicket(), guildId });
    return { guildId };
  },
  async 'tickets.history'() {
    const { data } = await app.rest('tickets.create', newTicket());
    const { ticketShortId } = data.ticket;
    for (let n = 0; n < 2; n += 1)
      await app.rest('tickets.transfer', { shortId: ticketShortId, discordId: snowflake() });
    for (const discordId of [snowflake(), snowflake()]) {
      await app.rest('tickets.addParticipant', { shortId: ticketShortId, discordId });
    }
    return { shortId: ticketShortId };
  },
  async 'blocks.list'() {
    const guildId = snowflake();
    for (let n = 0; n < 3; n += 1) await app.rest('blocks.create', { guildId, discordId: snowflake() });
    return { guildId };
  },
  async 'audit.list'() {
    const guildId = snowflake();
    for (const ticketType of ['one', 'two', 'three']) {
      await app.rest('channels.create', { guildId, ticketType, channelId: snowflake() });
    }
    return { guildId };
  },
};
const listing = targets.filter(({ fields }) => 'cursor' in fields).map(({ name }) => name);

describe.each(transports)('cursors, over %s', (transport) => {
  test.each(listing)('%s: one of another query, cut, altered or forged is refused', async (name) => {
    expect(Object.keys(fillings), 'each procedure with a cursor has a filling').toContain(name);
    const query = (await fillings[name]?.()) ?? {};
    const { data, status } = await app[transport](name, { ...query, limit: 1 });
    expect(status).toBe(200);
    const cursor: string = data.nextCursor;
    const [payload = '', mac = ''] = cursor.split('.');
    const swap = (text: string, at: number) =>
      `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
    const forged = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url');
    const foreign = await Promise.all(
      Object.keys(fillings).map(async (other) => {
        const theirs = (await fillings[other]?.()) ?? {};
        return (await app[transport](other, { ...theirs, limit: 1 })).data.nextCursor;
      }),
    );
    for (const wrong of [
      ...foreign,
      ...[1, 2, 8].map((length) => cursor.slice(0, -length)),
      cursor.slice(1),
      payload,
      `.${mac}`,
      `${payload}.${'A'.repeat(22)}`,
      ...[0, 3, payload.length - 1].map((at) => `${swap(payload, at)}.${mac}`),
      ...[0, 10].map((at) => `${payload}.${swap(mac, at)}`),
      ...[[0, ''], [0], [], null, [{ $gt: '' }, '']].map((content) => `${forged(content)}.${mac}`),
      `${cursor}.${mac}`,
      `${cursor}A`,
      'x'.repeat(5000),
    ]) {
      const { error } = await app[transport](name, { ...query, limit: 1, cursor: wrong });
      expect({ wrong, error }).toMatchObject({
        wrong,
        error: { type: 'validation_failed', issues: [{ path: 'cursor' }] },
      });
    }
    expect(await app[transport](name, { ...query, limit: 2, cursor })).toMatchObject({ status: 200 });
  });
});

test('a text may run from right to left, and comes back as it came', async () => {
  for (const transport of transports) {
    const ticketName = `\u202e${shortId()}`;
    const { data } = await app[transport]('tickets.create', { ...newTicket(), ticketName });
    expect(data.ticket.ticketName).toBe(ticketName);
    expect((await app[transport]('tickets.getByName', { ticketName })).data.ticketName).toBe(ticketName);
  }
});

test('a filter on what no schema has finds nothing, and an operator in one is no operator', async () => {
  const { data } = await app.rest('tickets.create', newTicket());
  const filter = (given: object) => Ticket.findOne({ guildId: data.ticket.guildId, ...given }).lean();
  await expect(filter({ nowhere: 1 })).rejects.toThrow('nowhere');
  await expect(filter({ shortId: { $ne: null } })).rejects.toThrow();
  expect(await filter({})).not.toBeNull();
});

test('no package of the lockfile that the service runs with is older than its mended version', async () => {
  const floors: Record<string, string> = {
    'path-to-regexp': '8.4.0',
    qs: '6.14.2',
    h3: '1.15.5',
    '@trpc/server': '11.8.0',
  };
  const lock = JSON.parse(await readFile(new URL('../package-lock.json', import.meta.url), 'utf8'));
  const all = Object.entries<{ version?: string; dev?: true }>(lock.packages);
  const packages = all.filter(([, { dev }]) => !dev);
  const older = packages.flatMap(([folder, { version = '' }]) => {
    const floor = floors[folder.replace(/^.*node_modules\//, '')];
    const isOlder = floor !== undefined && version.localeCompare(floor, 'en', { numeric: true }) < 0;
    return isOlder ? [`${folder} ${version}`] : [];
  });
  expect(older).toEqual([]);
  expect(packages.some(([folder]) => folder.endsWith('node_modules/@trpc/server'))).toBe(true);
});
