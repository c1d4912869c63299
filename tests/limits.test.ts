import { randomUUID } from 'node:crypto';
import { Ticket } from 'counterfoil/tickets/model';
import { connection } from 'mongoose';
import { describe, expect, inject, test } from 'vitest';
import { type Contract, contract, newTicket } from './contract.ts';
import { type Call, callsTo, type Outcome, shortId, snowflake, startApp } from './harness.ts';
import { startServer } from './server-process.ts';

/** A ticket type of a new guild with these settings. */
async function newType(ok: Contract['ok'], settings: object) {
  const type = { guildId: snowflake(), ticketType: 'support' };
  await ok('channels.create', { ...type, channelId: snowflake() });
  await ok('channels.update', { ...type, ...settings });
  return type;
}

contract('limits', ({ call, ok, refused }) => {
  const create = (type: object, ticketOwner: string, more: object = {}) =>
    ok('tickets.create', { ...newTicket(), ...type, ticketOwner, ...more });

  test('an owner has at most so many open tickets of a type', async () => {
    const type = await newType(ok, { maxOpenPerOwner: 2 });
    const owner = snowflake();
    const { ticket } = await create(type, owner);
    await create(type, owner);
    const third = { ...newTicket(), ...type, ticketOwner: owner };
    const error = await refused('owner_limit_reached', 'tickets.create', third);
    expect(error?.details).toEqual({ limit: 2, open: 2 });
    await refused('ticket_not_found', 'tickets.get', { shortId: third.ticketShortId });
    await create(type, snowflake());
    await create({ ...type, ticketType: 'other' }, owner);
    await create({ ...type, guildId: snowflake() }, owner);
    await create(type, owner, { closed: true });
    await ok('tickets.close', { shortId: ticket.ticketShortId });
    expect(await ok('tickets.create', third)).toMatchObject({ created: true });
  });

  test('a repeated create is found before a limit, a cooldown or a block refuses it', async () => {
    const type = await newType(ok, { maxOpenPerOwner: 1, cooldownSeconds: 3600 });
    const input = { ...newTicket(), ...type };
    await ok('tickets.create', input);
    expect(await ok('tickets.create', input)).toMatchObject({ created: false });
    await refused('ticket_id_taken', 'tickets.create', { ...input, channelId: snowflake() });
    await ok('blocks.create', { guildId: type.guildId, discordId: input.ticketOwner });
    expect(await ok('tickets.create', input)).toMatchObject({ created: false });
    await refused('ticket_id_taken', 'tickets.create', { ...input, channelId: snowflake() });
  });

  test('reopening, and changing type or owner, keep the limit', async () => {
    const type = await newType(ok, { maxOpenPerOwner: 1 });
    const [owner, other] = [snowflake(), snowflake()];
    const { ticket: first } = await create(type, owner);
    const one = { shortId: first.ticketShortId };
    await ok('tickets.close', one);
    const { ticket: second } = await create(type, owner);
    const two = { shortId: second.ticketShortId };
    expect((await refused('owner_limit_reached', 'tickets.reopen', one))?.details).toEqual({ limit: 1, open: 1 });
    expect(await ok('tickets.get', one)).toMatchObject({ closed: true, version: 2 });
    await ok('tickets.update', { ...two, ticketType: 'other' });
    await ok('tickets.reopen', one);
    const { guildId } = type;
    await refused('owner_limit_reached', 'tickets.update', { ...two, ticketType: 'support', priority: 'high' });
    expect(await ok('tickets.get', two)).toMatchObject({ ticketType: 'other', priority: 'normal', version: 2 });
    await ok('tickets.update', { ...two, ticketType: 'support', ticketOwner: other });
    await refused('owner_limit_reached', 'tickets.update', { ...two, ticketOwner: owner });
    // What leaves type and owner as they are needs no place.
    const same = { ticketType: 'support', ticketOwner: other, priority: 'urgent' };
    await ok('channels.update', { ...type, maxOpenPerOwner: 1, displayName: 'Help' });
    expect((await ok('tickets.update', { ...two, ...same })).ticket).toMatchObject(same);
    expect((await ok('tickets.list', { guildId, status: 'open' })).tickets).toHaveLength(2);
  });

  test('a limit that is lowered or set later leaves what is open, and holds from then on', async () => {
    const type = await newType(ok, { displayName: 'Help' });
    const owner = snowflake();
    const made = [await create(type, owner), await create(type, owner), await create(type, owner)];
    await ok('channels.update', { ...type, maxOpenPerOwner: 2 });
    const { ticketShortId: shortId } = made[0].ticket;
    expect((await ok('tickets.update', { shortId, ticketOwner: owner, priority: 'low' })).changed).toBe(true);
    const error = await refused('owner_limit_reached', 'tickets.create', {
      ...newTicket(),
      ...type,
      ticketOwner: owner,
    });
    expect(error?.details).toEqual({ limit: 2, open: 3 });
    for (const { ticket } of made.slice(0, 2)) await ok('tickets.close', { shortId: ticket.ticketShortId });
    await create(type, owner);
    await refused('owner_limit_reached', 'tickets.create', { ...newTicket(), ...type, ticketOwner: owner });
    await ok('channels.delete', { guildId: type.guildId, ticketType: type.ticketType });
    await create(type, owner);
  });

  test('a cooldown counts from the last ticket that its owner created, and says when it ends', async () => {
    const type = await newType(ok, { cooldownSeconds: 100 });
    const owner = snowflake();
    const { ticket } = await create(type, owner);
    await ok('tickets.close', { shortId: ticket.ticketShortId });
    const again = { ...newTicket(), ...type, ticketOwner: owner };
    const { status, headers, error } = await call('tickets.create', again);
    expect({ status, type: error?.type }).toEqual({ status: 429, type: 'cooldown' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(95);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(100);
    await ok('tickets.reopen', { shortId: ticket.ticketShortId });
    await create(type, snowflake());
    await create({ ...type, ticketType: 'other' }, owner);
    await Ticket.updateOne({ _id: ticket.ticketId }, { createdAt: new Date(Date.now() - 100_001) });
    expect(await ok('tickets.create', again)).toMatchObject({ created: true });
  });

  test('a type may ask for a reason with each close', async () => {
    const type = await newType(ok, { requireCloseReason: true });
    const { ticket } = await create(type, snowflake());
    const { ticketShortId: shortId } = ticket;
    const commandId = randomUUID();
    const error = await refused('validation_failed', 'tickets.close', { shortId });
    expect(error?.issues).toMatchObject([{ path: 'reason' }]);
    await refused('version_mismatch', 'tickets.close', { shortId, expectedVersion: 7 });
    expect(await ok('tickets.close', { shortId, reason: 'done', commandId })).toMatchObject({ changed: true });
    expect(await ok('tickets.close', { shortId })).toMatchObject({ changed: false, ticket: { closeReason: 'done' } });
    await refused('command_id_taken', 'tickets.close', { shortId, commandId });
    const { ticket: plain } = await create({ ...type, ticketType: 'other' }, snowflake());
    expect(await ok('tickets.close', { shortId: plain.ticketShortId })).toMatchObject({ changed: true });
  });

  test('a ticket whose create is under way is held to the settings of its type too', async () => {
    for (let round = 0; round < 15; round += 1) {
      const type = await newType(ok, { maxOpenPerOwner: 1, requireCloseReason: true });
      const owner = snowflake();
      await create(type, owner);
      const hurried = { ...newTicket(), ...type, ticketOwner: owner, closed: true };
      const shortId = hurried.ticketShortId;
      const open = { ...newTicket(), ...type };
      const made = Promise.all([ok('tickets.create', hurried), ok('tickets.create', open)]);
      const answers: Promise<Outcome>[] = [];
      for (let turn = 0; turn < 15; turn += 1) {
        answers.push(call('tickets.reopen', { shortId }), call('tickets.close', { shortId: open.ticketShortId }));
        await new Promise((done) => setTimeout(done, 1));
      }
      await made;
      expect((await Promise.all(answers)).filter(({ data }) => data?.changed)).toEqual([]);
    }
  });

  test('eligibility tells beforehand what a create would be refused for', async () => {
    const type = await newType(ok, { maxOpenPerOwner: 1, cooldownSeconds: 3600 });
    const { channelId } = await ok('channels.get', type);
    const discordId = snowflake();
    const query = { ...type, discordId };
    const free = { eligible: true, reasons: [], openCount: 0, limit: 1, cooldownEndsAt: null, channelId };
    expect(await ok('tickets.eligibility', query)).toEqual(free);
    const { ticket } = await create(type, discordId);
    const cooldownEndsAt = new Date(Date.parse(ticket.createdAt) + 3_600_000).toISOString();
    const reasons = ['owner_limit_reached', 'cooldown'];
    const full = { ...free, eligible: false, reasons, openCount: 1, cooldownEndsAt };
    expect(await ok('tickets.eligibility', query)).toEqual(full);
    await ok('blocks.create', { guildId: type.guildId, discordId, ticketType: 'support' });
    expect(await ok('tickets.eligibility', query)).toEqual({ ...full, reasons: ['owner_blocked', ...reasons] });
    const elsewhere = { ...query, ticketType: 'other' };
    const unset = { eligible: true, reasons: [], openCount: 0, limit: null, cooldownEndsAt: null, channelId: null };
    expect(await ok('tickets.eligibility', elsewhere)).toEqual(unset);
    await create({ ...type, ticketType: 'other' }, discordId);
    expect(await ok('tickets.eligibility', elsewhere)).toEqual({ ...unset, openCount: 1 });
  });
});

const key = 'limits-test-key-of-the-environment';

/** Two processes of the service, and calls that go to either of them, over both transports in turn. */
async function startTwo() {
  const env = { MONGODB_URI: inject('mongodbUri'), COUNTERFOIL_KEY: key };
  const servers = await Promise.all([startServer({ env }), startServer({ env })]);
  const calls = servers.flatMap(({ url }) => Object.values(callsTo(url, key)));
  let turn = 0;
  const call: Call = (...request) => (calls[turn++ % calls.length] as Call)(...request);
  return {
    servers,
    call,
    ok: async (procedure: string, input: object) => (await call(procedure, input)).data,
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

/** A hundred creates at once of one owner; answers what each came to. */
function createMany(call: Call, type: object, ticketOwner: string): Promise<Outcome[]> {
  const one = () => call('tickets.create', { ...type, ticketOwner, ticketId: randomUUID(), ticketShortId: shortId() });
  return Promise.all(Array.from({ length: 100 }, one));
}

/** How often each error, or success, was the answer. */
function statuses(answers: Outcome[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { error } of answers) counts[error?.type ?? 'created'] = (counts[error?.type ?? 'created'] ?? 0) + 1;
  return counts;
}

const openOf = (type: { guildId: string; ticketType: string }, ticketOwner: string) =>
  Ticket.countDocuments({ ...type, ticketOwner, closed: false });

describe.each([1, 3])('of a hundred simultaneous creates at a limit of %i, through two processes,', (limit) => {
  const refusals = { created: limit, owner_limit_reached: 100 - limit };

  test('exactly so many succeed', async () => {
    await using _app = await startApp();
    await using two = await startTwo();
    for (let round = 0; round < 3; round += 1) {
      const [type, owner] = [await newType(two.ok, { maxOpenPerOwner: limit }), snowflake()];
      expect(statuses(await createMany(two.call, type, owner))).toEqual(refusals);
      expect(await openOf(type, owner)).toBe(limit);
    }
  });

  test('there are never more open, while others close and reopen', async () => {
    await using _app = await startApp();
    await using two = await startTwo();
    const [type, owner] = [await newType(two.ok, {}), snowflake()];
    const closed: string[] = [];
    for (let place = 0; place < 8; place += 1) {
      const input = { ...newTicket(), ...type, ticketOwner: owner };
      await two.ok('tickets.create', input);
      await two.ok('tickets.close', { shortId: input.ticketShortId });
      closed.push(input.ticketShortId);
    }
    await two.ok('channels.update', { ...type, maxOpenPerOwner: limit });
    let most = 0;
    let done = false;
    const watch = (async () => {
      while (!done) most = Math.max(most, await openOf(type, owner));
    })();
    const churn = closed.map(async (shortId, place) => {
      for (let round = 0; round < 4; round += 1) {
        const answer = await two.call('tickets.reopen', { shortId });
        expect([undefined, 'owner_limit_reached']).toContain(answer.error?.type);
        if (place % 2) await two.call('tickets.close', { shortId });
      }
    });
    const answers = await createMany(two.call, type, owner);
    await Promise.all(churn);
    done = true;
    await watch;
    expect(Object.keys(statuses(answers)).filter((type) => type !== 'created')).toEqual(['owner_limit_reached']);
    expect(most).toBe(limit);
    expect(await openOf(type, owner)).toBeLessThanOrEqual(limit);
  });

  test('so many are left open, when the limit was lowered or set after others had been opened', async () => {
    await using _app = await startApp();
    await using two = await startTwo();
    for (const before of [{ maxOpenPerOwner: limit + 2 }, {}]) {
      const [type, owner] = [await newType(two.ok, before), snowflake()];
      const open: string[] = [];
      for (let place = 0; place < limit + 2; place += 1) {
        const input = { ...newTicket(), ...type, ticketOwner: owner };
        expect(await two.ok('tickets.create', input)).toMatchObject({ created: true });
        open.push(input.ticketShortId);
      }
      await two.ok('channels.update', { ...type, maxOpenPerOwner: limit });
      expect(statuses(await createMany(two.call, type, owner))).toEqual({ owner_limit_reached: 100 });
      // The first ones are closed: slots counted by their place would now be taken to be free.
      for (const shortId of open.slice(0, 3)) await two.ok('tickets.close', { shortId });
      expect(statuses(await createMany(two.call, type, owner))).toEqual({ created: 1, owner_limit_reached: 99 });
      expect(await openOf(type, owner)).toBe(limit);
    }
  });

  test('exactly so many are there, after kill -9 in the middle', async () => {
    await using _app = await startApp();
    // A transaction whose process died ends by itself after this time, by default a minute.
    const admin = connection.getClient().db('admin');
    await admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: 1 });
    await using survivor = await startTwo();
    for (let round = 0; round < 3; round += 1) {
      const victim = await startTwo();
      const [type, owner] = [await newType(survivor.ok, { maxOpenPerOwner: limit }), snowflake()];
      const lost = createMany(victim.call, type, owner).catch(() => 'lost');
      await new Promise((done) => setTimeout(done, 10 + 25 * round));
      for (const server of victim.servers) server.kill('SIGKILL');
      await lost;
      await victim[Symbol.asyncDispose]();
      expect(await openOf(type, owner)).toBeLessThanOrEqual(limit);
      await createMany(survivor.call, type, owner);
      expect(await openOf(type, owner)).toBe(limit);
    }
    await admin.command({ setParameter: 1, transactionLifetimeLimitSeconds: 60 });
  });
});
