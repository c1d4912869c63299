import { createHash, randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCodes } from 'counterfoil/startup-error';
import { mongo } from 'mongoose';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { callsTo, shortId, snowflake } from './harness.ts';
import { runCli, spawnCli, startServer, until } from './server-process.ts';

const key = 'cli-test-key-of-the-environment';
const person = '800000000000000001';
const staff = ['900000000000000001', '900000000000000002'] as const;
/** Claims a ticket of each guild, and is erased. */
const gone = '700000000000000009';

/** A database of its own on the shared mongod. */
async function newDatabase() {
  const uri = new URL(inject('mongodbUri'));
  uri.pathname = `/cli-${shortId()}`;
  const client = await new mongo.MongoClient(uri.href).connect();
  return {
    env: { MONGODB_URI: uri.href, COUNTERFOIL_KEY: key, LOG_LEVEL: 'error' },
    db: client.db(),
    tickets: client.db().collection<{ _id: string }>('tickets'),
    async [Symbol.asyncDispose]() {
      await client.db().dropDatabase();
      await client.close();
    },
  };
}

type Database = Awaited<ReturnType<typeof newDatabase>>;

/** The service on a database, with a call that expects success. */
async function serve({ env }: Database) {
  const server = await startServer({ env });
  return {
    // biome-ignore lint/suspicious/noExplicitAny: tests assert on answers of every shape.
    async ok(procedure: string, input: object): Promise<any> {
      const { data, error } = await callsTo(server.url, key).rest(procedure, input);
      expect(error).toBeUndefined();
      return data;
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const file = (...lines: unknown[]) => lines.map((line) => `${JSON.stringify(line)}\n`).join('');
// biome-ignore lint/suspicious/noExplicitAny: as above.
const parse = (text: string): any[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

/** What a bot's own old ticket looks like, at the least. */
const oldTicket = (fields: object = {}) => ({
  kind: 'ticket',
  guildId: '700000000000000009',
  ticketType: 'support',
  ticketOwner: person,
  ...fields,
});

async function folder() {
  const path = await mkdtemp(join(tmpdir(), 'counterfoil-cli-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** Fills a service with tickets in every state, in two guilds. */
async function fill(database: Database, guilds: readonly [string, string]) {
  await using service = await serve(database);
  const { ok } = service;
  await ok('users.create', { userDiscordId: staff[0], userDisplayName: 'Robin' });
  await ok('users.create', { userDiscordId: '900000000000000099', userDisplayName: 'Nobody here' });
  for (const guildId of guilds) {
    await ok('channels.create', { ticketType: 'support', guildId, channelId: '600000000000000001' });
    await ok('channels.update', { ticketType: 'support', guildId, cooldownSeconds: 60, staffRoleIds: [staff[0]] });
    await ok('channels.update', { ticketType: 'support', guildId, cooldownSeconds: null });
    await ok('blocks.create', { guildId, discordId: staff[0], reason: 'Spam', expiresAt: '2099-01-01T00:00:00Z' });
    const ids = [shortId(), shortId(), shortId(), shortId()];
    const [open = '', closed = '', long = '', named = ''] = ids;
    const base = { ticketType: 'support', guildId, ticketOwner: person };
    await ok('tickets.create', { ...base, ticketShortId: open, ticketData: '{"z": 1, "a": "Größe 💜"}' });
    await ok('tickets.addNote', { shortId: open, authorId: staff[0], text: 'A note\nof two lines' });
    await ok('tickets.addNote', { shortId: open, authorId: staff[1], text: 'Another' });
    await ok('tickets.addParticipant', { shortId: open, discordId: staff[1] });
    await ok('tickets.create', { ...base, ticketShortId: closed, claimedBy: staff[0], commandId: randomUUID() });
    await ok('tickets.transfer', { shortId: closed, discordId: staff[1], commandId: randomUUID() });
    await ok('tickets.close', { shortId: closed, closedBy: staff[1], reason: 'Done' });
    await ok('tickets.rate', { shortId: closed, discordId: person, rating: 4, comment: 'Kind' });
    await ok('tickets.reopen', { shortId: closed });
    await ok('tickets.close', { shortId: closed });
    await ok('tickets.create', { ...base, ticketShortId: named, ticketName: 'VIP', closed: true, claimedBy: gone });
    await ok('tickets.create', { ...base, ticketShortId: long });
    await ok('users.erase', { discordId: gone });
    for (let turn = 0; turn < 60; turn += 1) {
      const labels = turn % 2 === 0 ? ['a', 'b'] : null;
      await ok('tickets.update', { shortId: long, labels, ticketData: { turn }, commandId: randomUUID() });
    }
  }
}

describe('export and import', () => {
  const guilds = [snowflake(), snowflake()] as const;
  let from: Database;
  let exported: string;

  beforeAll(async () => {
    from = await newDatabase();
    await fill(from, guilds);
    const { code, stdout, stderr } = await runCli(['export'], from.env);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    exported = stdout;
  });
  afterAll(() => from[Symbol.asyncDispose]());

  test('an export holds everything but keys, and each ticket with its whole history and its notes', async () => {
    const lines = parse(exported);
    const kinds = lines.map(({ kind }) => kind);
    expect(kinds).toEqual([...kinds].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
    const ofKind = (kind: string) => lines.filter((line) => line.kind === kind);
    expect(order.map((kind) => ofKind(kind).length)).toEqual([1, 5, 2, 2, 2, 8, 1]);
    expect(exported).not.toMatch(/secret|cfl_/);
    const long = ofKind('ticket').filter(({ version }) => version === 61);
    expect(long).toHaveLength(2);
    for (const { history } of long) {
      expect(history.map(({ seq }: { seq: number }) => seq)).toEqual(Array.from({ length: 61 }, (_, i) => i + 1));
      expect(history[1]).toMatchObject({ commandId: expect.any(String), inputHash: expect.any(String) });
    }
    expect(ofKind('ticket').map(({ notes }) => notes.length)).toContain(2);
  });

  test('imported into an empty service and exported again it is the same to the byte, and goes on as before', async () => {
    await using to = await newDatabase();
    const { code, stderr } = await runCli(['import'], to.env, exported);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('19 imported, 0 already') });
    expect((await runCli(['export'], to.env)).stdout).toBe(exported);
    expect(await withoutTimes(to)).toEqual(await withoutTimes(from));

    await using service = await serve(to);
    const long = parse(exported).find(({ version }) => version === 61);
    const { seq, commandId } = long.history[5];
    const again = { shortId: long.ticketShortId, labels: null, ticketData: { turn: seq - 2 }, commandId };
    const input = seq % 2 === 0 ? { ...again, labels: ['a', 'b'] } : again;
    expect(await service.ok('tickets.update', input)).toMatchObject({ changed: true, ticket: { version: 61 } });
    const next = { ticketType: 'support', guildId: guilds[0], ticketOwner: person };
    expect((await service.ok('tickets.create', next)).ticket.ticketNumber).toBe(4);
    expect((await service.ok('tickets.list', { guildId: guilds[0], q: 'größe' })).tickets).toHaveLength(1);
  });

  test('an export that was broken off is not taken for a whole one', async () => {
    await using database = await newDatabase();
    const { code, stderr } = await runCli(['import'], database.env, exported.split('\n').slice(0, -2).join('\n'));
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('The export was broken off') });
    expect(await runCli(['import'], database.env, exported)).toMatchObject({ code: 0 });
    expect((await runCli(['export'], database.env)).stdout).toBe(exported);
  });

  test('again is safe: nothing is written twice, and what has changed since stays', async () => {
    await using to = await newDatabase();
    await runCli(['import'], to.env, exported);
    await to.tickets.updateMany({}, { $set: { closeReason: 'changed since' } });
    const before = await everything(to);
    const { code, stderr } = await runCli(['import'], to.env, exported);
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining('0 imported, 19 already') });
    expect(await everything(to)).toEqual(before);
  });

  test('a guild alone: its tickets, channels and number, and the users who own or have claimed one', async () => {
    const { stdout } = await runCli(['export', '--guild', guilds[1]], from.env);
    const [first, ...lines] = parse(stdout);
    expect(first).toEqual({ kind: 'export', format: 1, guildId: guilds[1] });
    const all = parse(exported).slice(1);
    const belongs = (line: { guildId?: string; userDisplayName?: string }) =>
      line.guildId === guilds[1] || (line.guildId === undefined && line.userDisplayName !== 'Nobody here');
    expect(lines.filter(({ kind }) => kind !== 'user')).toEqual(
      all.filter((line) => line.kind !== 'user' && belongs(line)),
    );
    expect(lines.filter(({ kind }) => kind === 'user').length).toBeGreaterThan(0);
    expect(stdout).not.toContain('Nobody here');
    expect(stdout).not.toContain(guilds[0]);
  });

  test('--snapshot has the same lines where nothing changes', async () => {
    expect((await runCli(['export', '--snapshot'], from.env)).stdout).toBe(exported);
  });

  test('--output is for its owner only and never overwritten; --resume goes on where it was broken off', async () => {
    await using place = await folder();
    const path = join(place.path, 'all.ndjson');
    expect(await runCli(['export', '--output', path], from.env)).toMatchObject({ code: 0, stdout: '' });
    expect(await readFile(path, 'utf8')).toBe(exported);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const again = await runCli(['export', '--output', path], from.env);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('give --resume to go on with it') });
    const bytes = Buffer.from(exported);
    // In every line once, at its beginning, within it, and at its end.
    const ends = exported.split('\n').map((line) => Buffer.byteLength(line) + 1);
    for (const [place, length] of ends.entries()) ends[place] = length + (ends[place - 1] ?? 0);
    const within = ends.filter((end, place) => place % 4 === 1 && end < bytes.length);
    for (const cut of [0, 20, ...within, (ends[5] ?? 0) + 7, bytes.length - 1]) {
      await writeFile(path, bytes.subarray(0, cut));
      const { code, stderr } = await runCli(['export', '--output', path, '--resume'], from.env);
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(await readFile(path, 'utf8')).toBe(exported);
    }
    const complete = await runCli(['export', '--output', path, '--resume'], from.env);
    expect(complete).toMatchObject({ code: 2, stderr: expect.stringContaining('this export is complete') });
    await writeFile(path, `${exported}{"kind":"x"}\n`);
    const strange = await runCli(['export', '--output', path, '--resume'], from.env);
    expect(strange).toMatchObject({ code: 2, stderr: expect.stringContaining('not one of an export') });
    await writeFile(path, 'precious\nwords');
    const refused = await runCli(['export', '--output', path, '--resume'], from.env);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('does not begin as an export does') });
    expect(await readFile(path, 'utf8')).toBe('precious\nwords');
    await writeFile(path, exported);
    const other = await runCli(['export', '--output', path, '--resume', '--guild', guilds[0]], from.env);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('it is the export of all guilds') });
  });
});

const order = ['export', 'user', 'channel', 'block', 'counter', 'ticket', 'end'];

/** Everything that is stored for tickets, with the order of fields. */
async function everything({ db }: Database) {
  const names = ['tickets', 'ticketHistory', 'notes', 'users', 'ticketChannels', 'counters'];
  const read = names.map((name) => db.collection(name).find().sort({ _id: 1 }).toArray());
  return Object.fromEntries((await Promise.all(read)).map((documents, place) => [names[place], documents]));
}

/** As above, without what is counted anew. */
async function withoutTimes(database: Database) {
  const { tickets = [], ...others } = await everything(database);
  return {
    tickets: tickets.map(({ historyBytes, searchWords, ...ticket }: mongo.BSON.Document) => ({
      ...ticket,
      searchWords: searchWords.toSorted(),
    })),
    ...others,
  };
}

describe('old tickets of a bot', () => {
  test('a line needs guild, type and owner; the rest follows, and the same line again is the same ticket', async () => {
    await using database = await newDatabase();
    const line = oldTicket();
    const closed = oldTicket({
      ticketNumber: 41,
      ticketData: { topic: 'Größe' },
      claimedBy: staff[0],
      claimedAt: '2024-05-01T10:00:00+02:00',
      status: 'closed',
      closedBy: staff[1],
      closeReason: 'Solved',
      closedAt: '2024-05-01T09:00:00Z',
      createdAt: '2024-05-01T07:30:00Z',
      notes: [{ authorId: staff[0], text: 'A difficult one', createdAt: '2024-05-01T08:30:00Z' }],
    });
    const lines = file(line, closed);
    expect(await runCli(['import'], database.env, lines)).toMatchObject({ code: 0 });
    const shuffled = file(Object.fromEntries(Object.entries(line).reverse()), { ...closed, labels: null });
    const again = await runCli(['import', '-'], database.env, shuffled);
    expect(again).toMatchObject({ code: 0, stderr: expect.stringContaining('0 imported, 2 already there') });

    await using service = await serve(database);
    const { tickets } = await service.ok('tickets.list', { guildId: line.guildId, sort: 'oldest' });
    expect(tickets).toMatchObject([
      {
        ticketNumber: 41,
        ticketName: 'support-0041',
        status: 'closed',
        claimedBy: staff[0],
        claimedAt: '2024-05-01T08:00:00.000Z',
        closedAt: '2024-05-01T09:00:00.000Z',
        updatedAt: '2024-05-01T09:00:00.000Z',
        version: 1,
      },
      { ticketNumber: 42, ticketName: 'support-0042', status: 'open', version: 1 },
    ]);
    const { ticketShortId } = tickets[0];
    const { history, claimIntervals } = await service.ok('tickets.history', { shortId: ticketShortId });
    expect(history).toMatchObject([{ seq: 1, type: 'create', keyId: 'import', at: '2024-05-01T07:30:00.000Z' }]);
    expect(claimIntervals).toMatchObject([{ claimer: staff[0], to: '2024-05-01T09:00:00.000Z', endReason: 'close' }]);
    expect((await service.ok('tickets.notes', { shortId: ticketShortId })).notes).toMatchObject([
      { text: 'A difficult one', authorId: staff[0] },
    ]);
    const { claimer } = await service.ok('tickets.isClaimed', { shortId: ticketShortId });
    expect(await service.ok('users.getByDiscordId', { discordId: staff[0] })).toMatchObject({ userId: claimer.userId });
    const claimed = await service.ok('tickets.claim', { shortId: tickets[1].ticketShortId, discordId: staff[0] });
    expect(claimed).toMatchObject({ changed: true, ticket: { version: 2 } });
    expect(
      (await service.ok('tickets.create', { ticketType: 'a', guildId: line.guildId, ticketOwner: person })).ticket
        .ticketNumber,
    ).toBe(43);
  });

  test('bad lines are reported with number and field, and the rest goes in', async () => {
    await using database = await newDatabase();
    const notes = [{ noteId: randomUUID(), authorId: person, text: 'x', createdAt: '2024-05-01T09:00:00Z' }];
    const good = { ...oldTicket({ ticketShortId: 'good', ticketName: 'taken' }), ticketId: randomUUID(), notes };
    const cases: [line: string, problem: string][] = [
      ['{"kind":"ticket"', 'Not valid JSON'],
      ['[]', 'kind: Expected one of user, channel, block, counter, ticket'],
      ['{"kind":"constructor"}', 'kind: Expected one of'],
      [JSON.stringify(oldTicket({ guildId: 123 })), 'guildId: Expected a Discord id'],
      [JSON.stringify(oldTicket({ colour: 'red' })), 'colour: Unknown field'],
      [JSON.stringify(oldTicket({ closedAt: '2024-05-01T09:00:00Z' })), 'closedAt: Is for a closed ticket'],
      [JSON.stringify(oldTicket({ closedAt: 'May', closed: true })), 'closedAt: Expected a time in ISO 8601'],
      [JSON.stringify(oldTicket({ status: 'open', closed: true })), 'status: Contradicts closed'],
      [JSON.stringify(oldTicket({ version: 3 })), 'version: Must be 1 where history is missing'],
      [JSON.stringify(oldTicket({ claimed: true })), 'claimedBy: Required where claimed is true'],
      [JSON.stringify({ kind: 'user', userDiscordId: '12' }), 'userDiscordId: Expected a Discord id'],
      [JSON.stringify({ kind: 'export', format: 2, guildId: null }), 'format: Expected 1'],
      [JSON.stringify(oldTicket({ ticketShortId: 'good' })), 'ticketShortId: another ticket has it'],
      [JSON.stringify(oldTicket({ createdAt: '9999-12-31T23:59:59-23:59' })), 'createdAt: The year must be'],
      [JSON.stringify(oldTicket({ ticketNumber: 2 ** 31 })), 'ticketNumber: Expected a whole number below 2^31'],
      [JSON.stringify(oldTicket({ labels: ['a', 'a'] })), 'labels: A label is given twice'],
      [JSON.stringify(oldTicket({ ticketId: good.ticketId })), 'ticketId: a ticket with other content has it'],
      [JSON.stringify(oldTicket({ notes: good.notes })), 'notes: a noteId is taken by another ticket'],
      [JSON.stringify(oldTicket({ ticketName: 'taken' })), 'ticketName: another open ticket of the guild is called'],
    ];
    const bad = cases.map(([line]) => line);
    const text = `\ufeff${JSON.stringify(good)}\r\n\n${bad.join('\n')}\n${JSON.stringify(oldTicket({ ticketShortId: 'last' }))}`;
    const { code, stderr } = await runCli(['import'], database.env, text);
    expect(code).toBe(1);
    for (const [place, [, problem]] of cases.entries()) expect(stderr).toContain(`line ${place + 3}: ${problem}`);
    expect(stderr).toContain(`2 imported, 0 already there, ${cases.length} refused`);
    expect(await database.tickets.distinct('shortId' as never)).toEqual(['good', 'last']);
  });

  test('what is refused leaves nothing behind, not even its notes and its old history', async () => {
    await using database = await newDatabase();
    const at = '2024-05-01T09:00:00Z';
    const history = Array.from({ length: 60 }, (_, place) => ({
      seq: place + 1,
      type: place === 0 ? 'create' : 'update',
      at,
      actorId: null,
      keyId: 'old',
      commandId: null,
      inputHash: null,
      before: null,
      after: {},
    }));
    const notes = [{ authorId: person, text: 'x', createdAt: at }];
    const past = { history, version: 60, claimIntervals: [], notes };
    const lines = [oldTicket({ ticketShortId: 'same' }), oldTicket({ ticketShortId: 'same', ...past })];
    expect(await runCli(['import'], database.env, file(...lines))).toMatchObject({ code: 1 });
    expect(await database.db.collection('ticketHistory').countDocuments()).toBe(0);
    expect(await database.db.collection('notes').countDocuments()).toBe(0);
    expect(await runCli(['import'], database.env, file({ ...lines[1], ticketShortId: 'mine' }))).toMatchObject({
      code: 0,
    });
    expect(await database.db.collection('ticketHistory').countDocuments()).toBe(10);
    expect(await database.db.collection('notes').countDocuments()).toBe(1);
  });

  test('bytes that are not UTF-8, and a line of a ticket that is there twice in one file', async () => {
    await using database = await newDatabase();
    await using place = await folder();
    const path = join(place.path, 'in.ndjson');
    await writeFile(path, Buffer.from([0xff, 0xfe, 10]));
    await appendFile(path, file(oldTicket({ ticketId: randomUUID() }), oldTicket(), oldTicket()));
    const { code, stderr } = await runCli(['import', path], database.env);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('line 1: Not valid UTF-8') });
    expect(stderr).toContain('2 imported, 1 already there, 1 refused');
  });
});

test('an import and an export that were killed are finished by running them again', async () => {
  await using from = await newDatabase();
  await using to = await newDatabase();
  await using place = await folder();
  const guildId = snowflake();
  const lines = Array.from({ length: 6000 }, (_, number) =>
    oldTicket({
      guildId,
      ticketNumber: number + 1,
      createdAt: '2024-05-01T09:00:00Z',
    }),
  );
  const input = join(place.path, 'in.ndjson');
  await writeFile(input, file(...lines));
  const importing = spawnCli(['import', input], from.env);
  await until(async () => (await from.tickets.findOne()) !== null, 60_000);
  importing.kill('SIGKILL');
  await importing.exited;
  const { code, stderr } = await runCli(['import', input], from.env);
  const [, imported = '0', present = '0'] = /^Done: (\d+) imported, (\d+) already/m.exec(stderr) ?? [];
  expect(code).toBe(0);
  expect(Number(imported)).toBeGreaterThan(0);
  expect(Number(present)).toBeGreaterThan(0);
  expect(Number(imported) + Number(present)).toBe(lines.length);

  const path = join(place.path, 'out.ndjson');
  const exporting = spawnCli(['export', '--output', path], from.env);
  await until(async () => (await stat(path).catch(() => ({ size: 0 }))).size > 0, 60_000);
  exporting.kill('SIGKILL');
  await exporting.exited;
  expect(await runCli(['export', '--output', path, '--resume'], from.env)).toMatchObject({ code: 0 });
  const all = (await runCli(['export'], from.env)).stdout;
  const sha = (text: string) => createHash('sha256').update(text).digest('hex');
  expect(sha(await readFile(path, 'utf8'))).toBe(sha(all));
  expect(await runCli(['import', path], to.env)).toMatchObject({ code: 0 });
  expect(sha((await runCli(['export'], to.env)).stdout)).toBe(sha(all));
});

test('--snapshot shows everything as it was at one moment, and without it what is read later is newer', async () => {
  await using database = await newDatabase();
  const lines = Array.from({ length: 2000 }, (_, number) =>
    oldTicket({ ticketNumber: number + 1, ticketData: { text: 'before '.repeat(20) } }),
  );
  await runCli(['import'], database.env, file(...lines));
  const exports = [['export'], ['export', '--snapshot']].map((args) => spawnCli(args, database.env));
  // Nobody reads: they wait within their first tickets while all are changed.
  for (const { stdout } of exports) stdout.pause();
  await Promise.all(exports.map(({ stdout }) => until(() => stdout.readableLength > 0, 60_000)));
  await database.tickets.updateMany({}, { $set: { closeReason: 'changed meanwhile' } });
  for (const { stdout } of exports) stdout.resume();
  const [plain, snapshot] = await Promise.all(exports.map(async ({ exited }) => (await exited).stdout));
  expect(plain).toContain('changed meanwhile');
  expect(snapshot).not.toContain('changed meanwhile');
  expect(snapshot?.match(/"kind":"ticket"/g)).toHaveLength(2000);
});

test('without MONGODB_URI it works on the embedded database, beside the service and without it', async () => {
  await using place = await folder();
  const env = { DATA_DIR: place.path, MONGOD_BINARY: inject('mongod'), COUNTERFOIL_KEY: key };
  const line = oldTicket({ ticketShortId: 'embedded' });
  expect(await runCli(['import'], env, file(line))).toMatchObject({ code: 0 });
  expect(await readFile(join(place.path, 'db', 'mongod.lock'), 'utf8')).toBe('');
  await using server = await startServer({ env });
  const beside = await runCli(['export'], env);
  expect(beside).toMatchObject({ code: 0, stdout: expect.stringContaining('"ticketShortId":"embedded"') });
  expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  server.kill('SIGTERM');
  expect(await server.exited).toBe(0);
  expect((await runCli(['export'], env)).stdout).toBe(beside.stdout);
});

describe.concurrent('the command line', () => {
  test.each([
    [['serve']],
    [['migrate']],
    [['export'], '--guild <id>', '--output <file>', '--resume', '--snapshot', 'MONGODB_URI', 'Keys are never exported'],
    [['import'], '[file]', 'standard input', 'importing again is safe', 'exit code'],
    [[], 'serve', 'migrate', 'export', 'import', 'keys', 'doctor'],
    [['doctor'], 'ok, a warning, or a problem', 'changes nothing', '--json', 'exit code'],
  ])('%s --help says all', async (command, ...words) => {
    const { code, stdout, stderr } = await runCli([...command, '--help'], {});
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of words) expect(stdout).toContain(word);
  });

  test.each([
    [[], 'a command is missing'],
    [['exprot'], "unknown command 'exprot'"],
    [['export', '--al'], "unknown option '--al'"],
    [['export', '--guild', 'mine'], 'Expected a Discord id'],
    [['export', '--guild'], 'argument missing'],
    [['export', '--resume'], '--resume needs --output'],
    [['export', '--resume', '--output', 'x', '--snapshot'], '--resume cannot go with --snapshot'],
    [['import', 'one', 'two'], 'too many arguments'],
    [['import', '/no/such/file'], 'no such file'],
    [['migrate', 'now'], 'too many arguments'],
  ])('%j is refused with code 2', async (args, message) => {
    const { code, stdout, stderr } = await runCli(args, {});
    expect({ code, stdout }).toEqual({ code: exitCodes.badConfiguration, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/at .*\.ts/);
  });

  test('serve is what npm start does', async () => {
    await using database = await newDatabase();
    const serving = spawnCli(['serve'], { ...database.env, PORT: '0' });
    await until(() => serving.stderr().includes('Counterfoil listens on'), 60_000);
    serving.kill('SIGTERM');
    expect(await serving.exited).toMatchObject({ code: 0 });
  });
});
