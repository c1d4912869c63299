import { randomUUID } from 'node:crypto';
import { type ErrorType, errorStatus } from '@counterfoil/shared/errors';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTicket } from './contract.ts';
import { type App, issueKey, procedures, shortId, snowflake, startApp } from './harness.ts';

interface Media {
  schema: { $ref?: string; examples?: unknown[] };
  examples?: Record<string, { $ref: string }>;
}
interface Operation {
  operationId: string;
  summary: string;
  description: string;
  security: object[];
  parameters: { name: string; schema: { description?: string; examples?: unknown[] } }[];
  requestBody?: { content: Record<string, Media> };
  responses: Record<string, { headers: Record<string, { $ref: string }>; content: Record<string, Media> }>;
}
type Document = Record<string, unknown> & { paths: Record<string, Record<string, Operation>> };

let app: App;
let document: Document;
/** Validates values against the schemas of the document, by JSON pointer. */
const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);
ajv.addFormat('json', true);

beforeAll(async () => {
  app = await startApp();
  document = JSON.parse(await (await app.fetch('/openapi.json')).text());
  ajv.addSchema(document, 'document');
});
afterAll(() => app[Symbol.asyncDispose]());

/** The part of the document at a JSON pointer. */
// biome-ignore lint/suspicious/noExplicitAny: a part of any shape.
function at(pointer: string): any {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  let part: any = document;
  for (const step of pointer.split('/').slice(1)) part = part[step.replaceAll('~1', '/').replaceAll('~0', '~')];
  return part;
}

function pointerTo(...steps: string[]): string {
  return steps.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

function problems(pointer: string, value: unknown): unknown[] {
  const validate = ajv.compile({ $ref: `document#${encodeURI(pointer)}` });
  return validate(value) ? [] : [{ pointer, value, errors: validate.errors }];
}

/** Every operation, with its method, its path, and the pointer to it. */
function operations() {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      operation,
      route: `${method.toUpperCase()} ${path}`,
      pointer: pointerTo('paths', path, method),
    })),
  );
}

/** Every procedure that has a REST route, with its metadata. */
function routes() {
  return Object.entries(procedures).flatMap(([name, { _def }]) =>
    _def.meta?.openapi ? [{ name, ..._def.meta, openapi: _def.meta.openapi }] : [],
  );
}

/** The error types that a response documents. */
function typesOf({ content }: Operation['responses'][string]): string[] {
  return Object.keys(content['application/json']?.examples ?? {});
}

test('the document is valid OpenAPI 3.1', async () => {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
});

test('each procedure with a route is there once, by its method, and nothing else is', () => {
  const documented = operations().map(({ operation, route }) => `${operation.operationId}: ${route}`);
  const bound = routes().map(({ name, openapi: { method, path } }) => `${name}: ${method} ${path}`);
  expect(documented.toSorted()).toEqual(bound.toSorted());
});

test('the routes that existing bots use are there', () => {
  expect(operations().map(({ route }) => route)).toEqual(
    expect.arrayContaining([
      'POST /tickets/create',
      'POST /tickets/close',
      'POST /tickets/claim',
      'GET /tickets/is/claimer/{userId}/{shortId}',
      'GET /tickets/is/claimed/{shortId}',
      'GET /tickets/get/channel/{ticketType}/{guildId}',
      'GET /tickets/get/id/{shortId}',
      'GET /tickets/get/name/{ticketName}',
      'POST /tickets/create/channel',
      'POST /user/new',
      'GET /user/discordId/{discordId}',
      'GET /user/userId/{userId}',
      'GET /user/exists/discordId/{discordId}',
    ]),
  );
  const { description = '' } = at('/paths/~1tickets~1is~1claimed~1{shortId}/get');
  expect(description).toMatch(/both documented uses.*"Is the ticket claimed".*"Get a tickets claimer"/);
});

test('each operation and each of its parameters is described, with both forms of authorization', () => {
  for (const { operation, route } of operations()) {
    expect(operation, route).toMatchObject({ summary: expect.any(String), description: expect.any(String) });
    expect(operation.security, route).toEqual([{ bearer: [] }, { plain: [] }]);
    for (const { name, schema } of operation.parameters) expect(schema.description, `${route} ${name}`).toBeTruthy();
  }
  expect(at('/components/securitySchemes')).toMatchObject({
    bearer: { type: 'http', scheme: 'bearer' },
    plain: { type: 'apiKey', in: 'header', name: 'Authorization' },
  });
});

test('the errors that the router names are documented, each by its status', () => {
  for (const { name, errors = [] } of routes()) {
    const found = operations().find(({ operation }) => operation.operationId === name);
    const { responses = {} } = found?.operation ?? {};
    for (const type of ['missing_key', 'invalid_key', 'validation_failed', 'internal', ...errors] as ErrorType[]) {
      expect(typesOf(responses[errorStatus[type]] ?? { headers: {}, content: {} }), name).toContain(type);
    }
    for (const [status, response] of Object.entries(responses)) {
      for (const type of typesOf(response)) expect(errorStatus[type as ErrorType], type).toBe(Number(status));
    }
  }
});

describe('examples', () => {
  /** Pointers to every schema with examples. */
  function withExamples(part: unknown, pointer: string): string[] {
    if (typeof part !== 'object' || part === null) return [];
    const deeper = Object.entries(part).flatMap(([step, child]) => withExamples(child, pointer + pointerTo(step)));
    return 'examples' in part && Array.isArray(part.examples) ? [pointer, ...deeper] : deeper;
  }

  test('are valid by the schemas that they stand in', () => {
    const found = withExamples(document, '').flatMap((pointer) =>
      at(pointer).examples.map((value: unknown) => ({ pointer, value })),
    );
    expect(found.length).toBeGreaterThan(50);
    expect(found.flatMap(({ pointer, value }) => problems(pointer, value))).toEqual([]);
  });

  test('are there for every parameter, body and answer, and for every error', () => {
    for (const { operation, route, pointer } of operations()) {
      for (const { name, schema } of operation.parameters) expect(schema.examples, `${route} ${name}`).toHaveLength(1);
      const json = [
        ...(operation.requestBody ? [`${pointer}/requestBody`] : []),
        ...Object.keys(operation.responses).map((status) => `${pointer}/responses/${status}`),
      ].map((parent) => `${parent}/content/application~1json`);
      for (const media of json) {
        const { schema, examples = {} }: Media = at(media);
        const inSchema = (schema.$ref ? at(schema.$ref.slice(1)) : schema).examples ?? [];
        const values = Object.values(examples).map(({ $ref }) => at($ref.slice(1)).value);
        expect([...inSchema, ...values], media).not.toHaveLength(0);
        expect(values.flatMap((value) => problems(`${media}/schema`, value))).toEqual([]);
      }
    }
  });
});

describe('answers', () => {
  /** What was seen of each procedure: success, and types of errors. */
  const seen = new Map<string, Set<ErrorType | 'success'>>();
  let reader: string;
  let elsewhere: string;

  beforeAll(async () => {
    reader = await issueKey('read');
    elsewhere = await issueKey('write', { guildIds: [snowflake()] });
  });

  /** Expects an answer to be documented for its route, with all of its headers, and to be this error or a success. */
  function expectDocumented(
    name: string,
    type: ErrorType | undefined,
    status: number,
    headers: Headers,
    body: unknown,
  ) {
    const { pointer } = operations().find(({ operation }) => operation.operationId === name) ?? {};
    expect(body).toMatchObject(type ? { error: { type } } : {});
    expect(status).toBe(type ? errorStatus[type] : 200);
    const response = at(`${pointer}/responses/${status}`);
    expect(response, `${name} ${status}`).toBeDefined();
    expect(problems(`${pointer}/responses/${status}/content/application~1json/schema`, body)).toEqual([]);
    for (const header of Object.keys(response.headers)) {
      if (at(`/components/headers/${header}`).required) expect(headers.get(header), header).not.toBeNull();
    }
    seen.set(name, (seen.get(name) ?? new Set()).add(type ?? 'success'));
  }

  /** Calls, and expects this error or a success, and that it is documented. */
  async function call(type: ErrorType | undefined, name: string, input: object, key?: string) {
    const { status, headers, data, error } = await app.rest(name, input, key);
    expectDocumented(name, type, status, headers, error ? { error } : data);
    return data;
  }

  test('to broken requests are documented on every route', async () => {
    for (const { name, openapi } of routes()) {
      const path = openapi.path.replace(/\{\w+\}/g, 'x');
      const init = { method: openapi.method, headers: { 'content-type': 'application/json' } };
      const post = { ...init, body: '{}' };
      const isPost = init.method === 'POST';
      const broken: [ErrorType, string, RequestInit][] = [
        ['missing_key', path, { ...init, headers: { authorization: '' } }],
        ['invalid_key', path, { ...init, headers: { authorization: 'wrong' } }],
        ['method_not_allowed', path, { method: 'PUT' }],
        ['validation_failed', `${path}?unknown=1`, isPost ? post : init],
        ['invalid_encoding', `${path}?%ff`, isPost ? post : init],
      ];
      const brokenBodies: [ErrorType, string, RequestInit][] = [
        ['validation_failed', path, post],
        ['invalid_json', path, { ...post, body: '{' }],
        ['body_too_large', path, { ...post, body: ' '.repeat(300_000) }],
        ['unsupported_media_type', path, { ...post, headers: {} }],
      ];
      for (const [type, target, request] of isPost ? [...broken, ...brokenBodies] : broken) {
        const response = await app.fetch(target, request);
        expectDocumented(name, type, response.status, response.headers, await response.json());
      }
    }
  });

  /** Calls a command so that each error of every command on a ticket occurs, and then with success. */
  async function command(name: string, input: object, usedCommandId: string) {
    await call('ticket_not_found', name, { ...input, shortId: shortId() });
    await call('version_mismatch', name, { ...input, expectedVersion: 99 });
    await call('command_id_taken', name, { ...input, commandId: usedCommandId });
    await call('insufficient_scope', name, input, reader);
    await call(undefined, name, input);
  }

  test('of users are documented', async () => {
    const [userId, discordId] = [randomUUID(), snowflake()];
    const user = { userId, userDiscordId: discordId, userDisplayName: 'Robin' };
    await call(undefined, 'users.create', user);
    await call('user_exists', 'users.create', { ...user, userId: randomUUID() });
    await call('insufficient_scope', 'users.create', user, reader);
    await call(undefined, 'users.get', { userId });
    await call('user_not_found', 'users.get', { userId: randomUUID() });
    await call(undefined, 'users.getByDiscordId', { discordId });
    await call('user_not_found', 'users.getByDiscordId', { discordId: snowflake() });
    await call(undefined, 'users.exists', { discordId });
  });

  test('of channels are documented', async () => {
    const [guildId, channelId] = [snowflake(), snowflake()];
    const channel = { ticketType: 'support', guildId, channelId };
    await call(undefined, 'channels.create', channel);
    await call('ticket_channel_exists', 'channels.create', { ...channel, channelId: snowflake() });
    await call('insufficient_scope', 'channels.create', channel, reader);
    await call('guild_not_allowed', 'channels.create', channel, elsewhere);
    await call(undefined, 'channels.get', { ticketType: 'support', guildId });
    await call('ticket_channel_not_found', 'channels.get', { ticketType: 'other', guildId });
    await call('guild_not_allowed', 'channels.get', { ticketType: 'support', guildId }, elsewhere);
    await call(undefined, 'channels.list', { guildId });
    const settings = { displayName: 'Help', maxOpenPerOwner: 1, cooldownSeconds: 60, staffRoleIds: [snowflake()] };
    await call(undefined, 'channels.update', { ticketType: 'support', guildId, ...settings });
    await call('ticket_channel_not_found', 'channels.update', { ticketType: 'other', guildId, ...settings });
    await call('insufficient_scope', 'channels.update', { ticketType: 'support', guildId, ...settings }, reader);
    await call('insufficient_scope', 'channels.delete', { ticketType: 'support', guildId }, reader);
    await call(undefined, 'channels.delete', { ticketType: 'support', guildId });
  });

  test('of deletion and erasure are documented', async () => {
    const writer = await issueKey('write');
    const create = newTicket();
    const { guildId, ticketShortId } = create;
    await call(undefined, 'tickets.create', create);
    await call('insufficient_scope', 'tickets.delete', { shortId: ticketShortId }, writer);
    await call('version_mismatch', 'tickets.delete', { shortId: ticketShortId, expectedVersion: 2 });
    await call(undefined, 'tickets.delete', { shortId: ticketShortId });
    await call('insufficient_scope', 'users.erase', { discordId: create.ticketOwner }, writer);
    await call(undefined, 'users.erase', { discordId: create.ticketOwner });
    await call('insufficient_scope', 'guilds.erase', { guildId }, writer);
    await call('guild_not_allowed', 'guilds.erase', { guildId }, await issueKey('admin', { guildIds: [snowflake()] }));
    await call(undefined, 'guilds.erase', { guildId });
  });

  test('of limits and blocks are documented', async () => {
    const type = { ticketType: 'support', guildId: snowflake() };
    const create = { ...newTicket(), ...type };
    const more = () => ({ ...create, ticketId: randomUUID(), ticketShortId: shortId() });
    await call(undefined, 'channels.create', { ...type, channelId: snowflake() });
    await call(undefined, 'channels.update', { ...type, maxOpenPerOwner: 1 });
    await call(undefined, 'tickets.create', create);
    await call('owner_limit_reached', 'tickets.create', more());
    const second = { ...more(), ticketType: 'other' };
    await call(undefined, 'tickets.create', second);
    await call('owner_limit_reached', 'tickets.update', { shortId: second.ticketShortId, ticketType: 'support' });
    await call(undefined, 'tickets.close', { shortId: create.ticketShortId });
    await call(undefined, 'tickets.create', more());
    await call('owner_limit_reached', 'tickets.reopen', { shortId: create.ticketShortId });
    await call(undefined, 'channels.update', { ...type, maxOpenPerOwner: null, cooldownSeconds: 60 });
    await call('cooldown', 'tickets.create', more());

    const block = { ...type, discordId: create.ticketOwner, reason: 'Spam.', expiresAt: '2099-01-01T00:00:00+01:00' };
    await call(undefined, 'blocks.create', block);
    await call('guild_not_allowed', 'blocks.create', block, elsewhere);
    await call('owner_blocked', 'tickets.create', more());
    await call(undefined, 'tickets.eligibility', { ...type, discordId: create.ticketOwner });
    await call('guild_not_allowed', 'tickets.eligibility', { ...type, discordId: create.ticketOwner }, elsewhere);
    await call(undefined, 'blocks.list', { guildId: type.guildId });
    await call('guild_not_allowed', 'blocks.list', { guildId: type.guildId }, elsewhere);
    await call('insufficient_scope', 'blocks.delete', { ...type, discordId: block.discordId }, reader);
    await call(undefined, 'blocks.delete', { ...type, discordId: block.discordId });
  });

  test('of tickets that are created and read are documented', async () => {
    const [guildId, ticketId, ticketShortId] = [snowflake(), randomUUID(), shortId()];
    const ticketName = `name ${ticketId}`;
    const input = { ...newTicket(), guildId, ticketId, ticketShortId, ticketName };
    const other = { ...input, ticketId: randomUUID(), ticketShortId: shortId(), ticketName: 'other' };
    await call(undefined, 'tickets.create', input);
    await call('ticket_id_taken', 'tickets.create', { ...other, ticketId });
    await call('short_id_taken', 'tickets.create', { ...other, ticketShortId });
    await call('name_taken', 'tickets.create', { ...other, ticketName });
    await call('insufficient_scope', 'tickets.create', input, reader);
    await call('guild_not_allowed', 'tickets.create', input, elsewhere);

    await call(undefined, 'tickets.get', { shortId: ticketShortId });
    await call('ticket_not_found', 'tickets.get', { shortId: shortId() });
    await call(undefined, 'tickets.getByName', { ticketName });
    await call('guild_not_allowed', 'tickets.getByName', { ticketName, guildId }, elsewhere);
    await call('ticket_not_found', 'tickets.getByName', { ticketName: shortId() });
    await call(undefined, 'tickets.create', { ...other, ticketName, guildId: snowflake() });
    await call('ambiguous_name', 'tickets.getByName', { ticketName });

    const { nextCursor: cursor } = await call(undefined, 'tickets.list', { limit: 1 });
    await call(undefined, 'tickets.list', { limit: 1, cursor });
    await call('validation_failed', 'tickets.list', { limit: 1, cursor, guildId });
    await call('guild_not_allowed', 'tickets.list', { guildId }, elsewhere);
    await call(undefined, 'tickets.count', { guildId });
    await call('guild_not_allowed', 'tickets.count', { guildId }, elsewhere);
  });

  test('of the life of a ticket are documented', async () => {
    const [ticketName, commandId, userId] = ['the name', randomUUID(), randomUUID()];
    const [owner, claimer, other] = [snowflake(), snowflake(), snowflake()];
    const create = { ...newTicket(), ticketName, ticketOwner: owner };
    const ticket = { shortId: create.ticketShortId };
    const byClaimer = { ...ticket, discordId: claimer };
    const byOther = { ...ticket, discordId: other };
    await call(undefined, 'tickets.create', create);
    await call(undefined, 'tickets.update', { ...ticket, labels: ['a'], commandId });

    await call(undefined, 'tickets.isClaimed', ticket);
    await call('ticket_not_claimed', 'tickets.getClaimer', ticket);
    await call('ticket_not_claimed', 'tickets.transfer', byOther);
    await command('tickets.claim', byClaimer, commandId);
    await call('ticket_already_claimed', 'tickets.claim', byOther);
    await call('not_the_claimer', 'tickets.unclaim', byOther);
    await command('tickets.transfer', byOther, commandId);
    await command('tickets.unclaim', byOther, commandId);
    await call(undefined, 'tickets.claim', byClaimer);
    await call(undefined, 'tickets.isClaimed', ticket);
    await call(undefined, 'tickets.getClaimer', ticket);
    await call(undefined, 'tickets.isClaimer', { ...ticket, userId });
    await call('ticket_not_found', 'tickets.isClaimed', { shortId: shortId() });
    await call('ticket_not_found', 'tickets.getClaimer', { shortId: shortId() });
    await call('ticket_not_found', 'tickets.isClaimer', { shortId: shortId(), userId });

    await command('tickets.update', { ...ticket, priority: 'high' }, commandId);
    await command('tickets.addParticipant', byOther, commandId);
    await command('tickets.removeParticipant', byOther, commandId);
    await call(undefined, 'tickets.addParticipant', byOther);
    await call('ticket_not_closed', 'tickets.rate', { ...ticket, discordId: owner, rating: 5 });

    await command('tickets.close', { ...ticket, reason: 'Solved.' }, commandId);
    await call('ticket_closed', 'tickets.claim', byOther);
    await call('ticket_closed', 'tickets.transfer', byOther);
    await call('ticket_closed', 'tickets.unclaim', ticket);
    await call('ticket_closed', 'tickets.update', { ...ticket, ticketType: 'other' });
    await call('ticket_closed', 'tickets.addParticipant', byClaimer);
    await call('ticket_closed', 'tickets.removeParticipant', byOther);
    await call('not_the_owner', 'tickets.rate', { ...byOther, rating: 5 });
    await command('tickets.rate', { ...ticket, discordId: owner, rating: 5, comment: 'Kind.' }, commandId);

    const namesake = { ...newTicket(), guildId: create.guildId, ticketName };
    await call(undefined, 'tickets.create', namesake);
    await call('name_taken', 'tickets.reopen', ticket);
    await call(undefined, 'tickets.update', { shortId: namesake.ticketShortId, ticketName: 'another name' });
    await command('tickets.reopen', ticket, commandId);
    await call('name_taken', 'tickets.update', { ...ticket, ticketName: 'another name' });

    const { nextCursor: cursor } = await call(undefined, 'tickets.history', { ...ticket, limit: 3 });
    await call(undefined, 'tickets.history', { ...ticket, cursor });
    await call('ticket_not_found', 'tickets.history', { shortId: shortId() });
  });

  test('of keys and the audit trail are documented', async () => {
    const guildId = snowflake();
    const writer = await issueKey('write');
    const bound = await issueKey('admin', { guildIds: [guildId] });
    const create = { name: 'support-bot', scope: 'write', guildIds: [guildId], expiresAt: '2099-01-01T00:00:00Z' };
    const { key } = await call(undefined, 'keys.create', { ...create, rateLimit: 50 });
    await call('insufficient_scope', 'keys.create', create, writer);
    await call('guild_not_allowed', 'keys.create', { ...create, guildIds: [snowflake()] }, bound);
    await call(undefined, 'keys.list', {});
    await call('insufficient_scope', 'keys.list', {}, writer);
    const { keyId } = key;
    await call(undefined, 'keys.rotate', { keyId, overlapHours: 1 });
    await call('insufficient_scope', 'keys.rotate', { keyId }, writer);
    await call(undefined, 'keys.revoke', { keyId });
    await call(undefined, 'keys.revoke', { keyId });
    await call('insufficient_scope', 'keys.revoke', { keyId }, writer);
    await call('key_not_found', 'keys.revoke', { keyId: '00000000' });
    await call('key_not_found', 'keys.rotate', { keyId });
    const { nextCursor: cursor } = await call(undefined, 'audit.list', { guildId, limit: 1 });
    await call(undefined, 'audit.list', { guildId, limit: 1, cursor });
    await call('validation_failed', 'audit.list', { limit: 1, cursor });
    await call('insufficient_scope', 'audit.list', {}, writer);
    await call('guild_not_allowed', 'audit.list', { guildId: snowflake() }, bound);
  });

  test('of notes are documented', async () => {
    const create = newTicket();
    await call(undefined, 'tickets.create', create);
    const note = { shortId: create.ticketShortId, authorId: snowflake(), text: 'hm', noteId: randomUUID() };
    await call(undefined, 'tickets.addNote', note);
    await call('note_id_taken', 'tickets.addNote', { ...note, text: 'oh' });
    await call('ticket_not_found', 'tickets.addNote', { ...note, shortId: shortId() });
    await call('insufficient_scope', 'tickets.addNote', note, reader);
    await call(undefined, 'tickets.notes', { shortId: note.shortId });
    await call('ticket_not_found', 'tickets.notes', { shortId: shortId() });
  });

  test('were, in the tests above, a success of every procedure and every error that it names', () => {
    for (const { name, errors = [] } of routes()) {
      expect([...(seen.get(name) ?? [])], name).toEqual(expect.arrayContaining(['success', ...errors]));
    }
  });
});
