import { randomUUID } from 'node:crypto';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { type AnyTRPCRouter, callTRPCProcedure, TRPCError } from '@trpc/server';
import { callOf, withOwnCalls } from 'counterfoil/call';
import { coalesce } from 'counterfoil/database/coalesce';
import { duplicateField } from 'counterfoil/database/unique';
import { toDomainError } from 'counterfoil/errors';
import { commandLine, type Principal } from 'counterfoil/keys/authenticate';
import { appRouter } from 'counterfoil/router';
import { insertTicket, Ticket } from 'counterfoil/tickets/model';
import { describe, expect, test } from 'vitest';
import { contract } from './contract.ts';
import { callsTo, issueKey, procedures, shortId, snowflake, startApp } from './harness.ts';
import { startMongod } from './mongod.ts';
import { startServer } from './server-process.ts';

describe('questions that are put together', () => {
  test('are asked at once, answered each with its own, and never kept', async () => {
    const asked: (readonly number[])[] = [];
    const double = coalesce(async (numbers: readonly number[]) => {
      asked.push(numbers);
      return numbers.map((number) => number * 2);
    });
    expect(await Promise.all([1, 2, 3, 2].map(double))).toEqual([2, 4, 6, 4]);
    expect(await double(2)).toBe(4);
    expect(asked).toEqual([[1, 2, 3, 2], [2]]);
  });

  test('wait for nobody where there is one alone', async () => {
    let asked = 0;
    const ask = coalesce(async (questions: readonly number[]) => {
      asked += 1;
      return questions;
    });
    const answer = ask(1);
    await turn();
    expect(asked).toBe(1);
    await answer;
  });

  test('are gathered while a batch is under way, a hundred at most', async () => {
    const sizes: number[] = [];
    const ask = coalesce(async (questions: readonly number[]) => {
      sizes.push(questions.length);
      await sleep(1);
      return questions;
    });
    const first = ask(0);
    await turn();
    await Promise.all([first, ...Array.from({ length: 150 }, (_, number) => ask(number))]);
    expect(sizes).toEqual([1, 100, 50]);
  });

  test('fail alone, or with their batch only', async () => {
    const ask = coalesce(async (questions: readonly string[]) => {
      if (questions.includes('all')) throw new Error('all');
      return questions.map((question) => (question === 'one' ? new Error('one') : question));
    });
    const settled = await Promise.allSettled(['a', 'one', 'b'].map(ask));
    expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await expect(Promise.all([ask('c'), ask('all')])).rejects.toThrow('all');
    expect(await ask('d')).toBe('d');
  });

  test('are held up by no batch that hangs', async () => {
    const ask = coalesce(async (questions: readonly string[]) => {
      if (questions.includes('hang')) await new Promise(() => {});
      return questions;
    });
    void ask('hang');
    await turn();
    expect(await ask('next')).toBe('next');
  });
});

contract('creates and reads at once', ({ call, ok, createTicket }) => {
  test('each meets its own refusal, and all others are written', async () => {
    const guildId = snowflake();
    const taken = await createTicket({ guildId, ticketName: 'taken' });
    const { ticketId, ticketShortId } = taken;
    const fresh = () => ({ ticketType: 'support', guildId, ticketOwner: snowflake() });
    const inputs = [
      fresh(),
      { ...fresh(), ticketName: 'taken' },
      fresh(),
      { ...fresh(), ticketShortId },
      { ...fresh(), ticketName: 'by-hand' },
      { ...fresh(), ticketId },
      fresh(),
    ];
    const outcomes = await Promise.all(inputs.map((input) => call('tickets.create', input)));
    expect(outcomes.map(({ error }) => error?.type ?? 'created')).toEqual([
      'created',
      'name_taken',
      'created',
      'short_id_taken',
      'created',
      'ticket_id_taken',
      'created',
    ]);
    expect(await Ticket.countDocuments({ guildId })).toBe(5);
  });

  test('each counts its own number, in every guild', async () => {
    const guilds = Array.from({ length: 12 }, snowflake);
    const inputs = Array.from({ length: 96 }, (_, place) => ({
      ticketType: 'support',
      guildId: guilds[place % guilds.length] as string,
      ticketOwner: snowflake(),
    }));
    const created = await Promise.all(inputs.map((input) => ok('tickets.create', input)));
    for (const guildId of guilds) {
      const numbers = created
        .filter(({ ticket }) => ticket.guildId === guildId)
        .map(({ ticket }) => ticket.ticketNumber);
      expect(numbers.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    }
  });

  test('each is held to the settings and blocks of its own guild, type and owner', async () => {
    const [one, other] = [snowflake(), snowflake()];
    const [blocked, free] = [snowflake(), snowflake()];
    await ok('blocks.create', { guildId: one, discordId: blocked, reason: 'spam' });
    await ok('channels.create', { guildId: other, ticketType: 'limited', channelId: snowflake() });
    await ok('channels.update', { guildId: other, ticketType: 'limited', maxOpenPerOwner: 1 });
    const inputs = [one, other].flatMap((guildId) =>
      [blocked, free].flatMap((ticketOwner) =>
        ['support', 'limited', 'limited'].map((ticketType) => ({ guildId, ticketOwner, ticketType })),
      ),
    );
    const outcomes = await Promise.all(inputs.map((input) => call('tickets.create', input)));
    const types = outcomes.map(({ error }) => error?.type ?? 'created');
    expect(types.slice(0, 3)).toEqual(Array(3).fill('owner_blocked'));
    expect(types.slice(3, 6)).toEqual(Array(3).fill('created'));
    for (const start of [6, 9]) {
      expect(types[start]).toBe('created');
      expect(types.slice(start + 1, start + 3).toSorted()).toEqual(['created', 'owner_limit_reached']);
    }
  });

  test('keys of different guilds that read at once each see their own tickets only', async () => {
    const guilds = [snowflake(), snowflake()];
    const tickets = await Promise.all(guilds.map((guildId) => createTicket({ guildId })));
    const keys = await Promise.all(guilds.map((guildId) => issueKey('read', { guildIds: [guildId] })));
    const reads = Array.from({ length: 40 }, (_, place) => [place % 2, Math.floor(place / 2) % 2] as const);
    const outcomes = await Promise.all(
      reads.map(([ticket, key]) =>
        call('tickets.get', { shortId: tickets[ticket].ticketShortId }, keys[key] as string),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(reads.map(([ticket, key]) => (ticket === key ? 200 : 404)));
  });

  test('a read that begins after a change was answered sees it, whoever else reads', async () => {
    let reading = true;
    const tickets = await Promise.all(Array.from({ length: 8 }, () => createTicket()));
    const others = Array.from({ length: 8 }, async (_, place) => {
      while (reading) await ok('tickets.get', { shortId: tickets[place].ticketShortId });
    });
    try {
      await Promise.all(
        tickets.map(async ({ ticketShortId }) => {
          for (let change = 0; change < 20; change += 1) {
            const { ticket } = await ok('tickets.update', { shortId: ticketShortId, ticketData: `${change}` });
            const read = await ok('tickets.get', { shortId: ticketShortId });
            expect(read.version).toBeGreaterThanOrEqual(ticket.version);
          }
        }),
      );
    } finally {
      reading = false;
      await Promise.all(others);
    }
  });

  test('inserts of one turn are one command, and each is refused by its own index', async () => {
    const { ticketId } = await createTicket({ ticketName: 'taken' });
    const taken = await Ticket.findById(ticketId).lean();
    if (!taken) throw new Error('it was just created');
    const other = () => ({ ...taken, _id: randomUUID(), shortId: shortId(), ticketName: shortId() });
    const tickets = [
      other(),
      { ...other(), _id: taken._id },
      { ...other(), shortId: taken.shortId },
      { ...other(), ticketName: 'taken' },
      other(),
    ];
    const outcomes = await Promise.allSettled(tickets.map((ticket) => insertTicket(ticket)));
    const refusals = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : null));
    expect(refusals.map((refusal) => refusal && duplicateField(refusal))).toEqual([
      null,
      '_id',
      'shortId',
      'ticketName',
      null,
    ]);
    // Alone each would have one.
    expect(refusals.map((refusal) => refusal?.keyPattern)).toEqual(Array(5).fill(undefined));
    expect(await Ticket.countDocuments({ guildId: taken.guildId })).toBe(3);
  });
});

test('creates that a majority does not confirm are all of unknown outcome, and safe to repeat', async () => {
  await using mongod = await startMongod();
  const key = 'a-key-of-this-test-and-of-no-other';
  await using server = await startServer({ env: { MONGODB_URI: mongod.uri, COUNTERFOIL_KEY: key } });
  const { rest } = callsTo(server.url, key);
  const input = () => ({
    ticketId: randomUUID(),
    ticketType: 'support',
    guildId: snowflake(),
    ticketOwner: snowflake(),
  });
  const inputs = Array.from({ length: 12 }, input);
  const create = () => Promise.all(inputs.map((one) => rest('tickets.create', one)));
  await mongod.fail(['insert'], { writeConcernError: { code: 100, errmsg: 'not confirmed' } });
  expect((await create()).map(({ error }) => error?.type)).toEqual(inputs.map(() => 'outcome_unknown'));
  await mongod.fail([]);
  expect((await create()).map(({ data }) => data?.created)).toEqual(inputs.map(() => false));
});

test('what the database says of a whole batch is not taken for silence', async () => {
  await using mongod = await startMongod();
  const key = 'a-key-of-this-test-and-of-no-other';
  await using server = await startServer({ env: { MONGODB_URI: mongod.uri, COUNTERFOIL_KEY: key } });
  const { rest } = callsTo(server.url, key);
  const input = () => ({ ticketType: 'support', guildId: snowflake(), ticketOwner: snowflake() });
  const unauthorized = 13;
  await mongod.fail(['insert'], { errorCode: unauthorized });
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => rest('tickets.create', input())));
  expect(outcomes.map(({ error }) => error?.type)).toEqual(Array(8).fill('internal'));
});

test('both faces call procedures as tRPC itself does', async () => {
  await using app = await startApp();
  const guildId = snowflake();
  const { data } = await app.rest('tickets.create', { ticketType: 'support', guildId, ticketOwner: snowflake() });
  const known = { shortId: data.ticket.ticketShortId };
  const reader: Principal = { ...commandLine, scope: 'read', guildIds: [guildId] };
  const cases = [
    ['tickets.get', known, commandLine],
    ['tickets.get', { shortId: shortId() }, commandLine],
    ['tickets.get', {}, commandLine],
    ['tickets.get', { ...known, more: 1 }, commandLine],
    ['tickets.list', { guildId: snowflake() }, reader],
    ['tickets.close', known, reader],
    ['tickets.close', { ...known, expectedVersion: 7 }, commandLine],
    ['keys.list', {}, reader],
  ] as const;
  for (const [path, input, principal] of cases) {
    const ctx = { requestId: 'same', key: principal };
    const procedure = procedures[path];
    const type = procedure?._def.type as 'query' | 'mutation';
    const outcomeOf = (call: Promise<unknown>) =>
      call.catch((error: unknown) => {
        expect(error).toBeInstanceOf(TRPCError);
        const { status, message, issues } = toDomainError(error, type);
        return { code: (error as TRPCError).code, status, message, issues };
      });
    const router = appRouter as AnyTRPCRouter;
    const options = { router, path, type, ctx, getRawInput: async () => input, signal: undefined, batchIndex: 0 };
    const publicly = await outcomeOf(callTRPCProcedure(options));
    const call = callOf(router._def.procedures[path], path);
    expect(await outcomeOf(call(ctx, options.getRawInput)), path).toEqual(publicly);
    expect(await outcomeOf(callTRPCProcedure({ ...options, router: withOwnCalls(router) })), path).toEqual(publicly);
  }
});
