import { randomUUID } from 'node:crypto';
import { Ticket } from 'counterfoil/tickets/model';
import { expect, test } from 'vitest';
import { contract, newTicket } from './contract.ts';
import { issueKey, shortId, snowflake } from './harness.ts';

contract('tickets.create', ({ ok, refused, createTicket }) => {
  test('a new ticket has every field, with null and empty lists for what is not set', async () => {
    const input = newTicket();
    const { created, ticket } = await ok('tickets.create', input);
    expect(created).toBe(true);
    expect(ticket).toEqual({
      ticketId: input.ticketId,
      ticketShortId: input.ticketShortId,
      ticketNumber: 1,
      ticketType: 'support',
      ticketName: 'support-0001',
      ticketData: null,
      guildId: input.guildId,
      ticketOwner: input.ticketOwner,
      channelId: null,
      status: 'open',
      claimed: false,
      claimedBy: null,
      claimedAt: null,
      closed: false,
      closedBy: null,
      closeReason: null,
      closedAt: null,
      priority: 'normal',
      labels: [],
      participants: [],
      rating: null,
      reopenCount: 0,
      version: 1,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: ticket.createdAt,
    });
    expect(await ok('tickets.get', { shortId: input.ticketShortId })).toEqual(ticket);
  });

  test('ids and name are made where they are missing, and the number is null where the name is given', async () => {
    const guildId = snowflake();
    const least = { ticketType: 'bug', guildId, ticketOwner: snowflake() };
    const { ticket: first } = await ok('tickets.create', least);
    expect(first.ticketId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(first.ticketShortId).toMatch(/^[23456789bcdfghjkmnpqrstvwxz]{8}$/);
    expect(first).toMatchObject({ ticketName: 'bug-0001', ticketNumber: 1 });
    const { ticket: named } = await ok('tickets.create', { ...least, ticketName: 'my own' });
    expect(named).toMatchObject({ ticketName: 'my own', ticketNumber: null });
    const { ticket: second } = await ok('tickets.create', least);
    expect(second).toMatchObject({ ticketName: 'bug-0002', ticketNumber: 2 });
  });

  test('a number whose name is taken by hand is passed over', async () => {
    const guildId = snowflake();
    await createTicket({ guildId, ticketName: 'support-0001' });
    await createTicket({ guildId, ticketName: 'support-0002' });
    expect(await createTicket({ guildId })).toMatchObject({ ticketName: 'support-0003', ticketNumber: 3 });
  });

  test('the same ticketId with the same content finds the ticket as it is now', async () => {
    const input = { ...newTicket(), ticketData: '{"a": 1}', claimedBy: '' };
    const { ticketShortId } = (await ok('tickets.create', input)).ticket;
    await ok('tickets.close', { shortId: ticketShortId, reason: 'done' });
    const { claimedBy: _, ...sameContent } = input;
    const repeated = { ...sameContent, ticketId: input.ticketId.toUpperCase(), claimed: false, closed: false };
    const { created, ticket } = await ok('tickets.create', { ...repeated, claimedBy: null, commandId: randomUUID() });
    expect(created).toBe(false);
    expect(ticket).toMatchObject({ ticketId: input.ticketId, closed: true, closeReason: 'done', version: 2 });
    expect(await Ticket.countDocuments({ guildId: input.guildId })).toBe(1);
  });

  test('the same ticketId with other content is refused, whatever else is taken', async () => {
    const input = newTicket();
    await ok('tickets.create', input);
    await createTicket({ guildId: input.guildId, ticketName: 'taken' });
    for (const change of [
      { ticketType: 'other' },
      { ticketName: 'taken' },
      { ticketData: '{}' },
      { closed: true },
      { claimedBy: snowflake() },
      { channelId: snowflake() },
      { ticketShortId: shortId() },
    ]) {
      await refused('ticket_id_taken', 'tickets.create', { ...input, ...change });
    }
    // Looked up first: the same content is found although its name is another's by now.
    const named = { ...newTicket(), ticketName: 'once mine' };
    await ok('tickets.create', named);
    await ok('tickets.close', { shortId: named.ticketShortId });
    await createTicket({ guildId: named.guildId, ticketName: 'once mine' });
    expect(await ok('tickets.create', named)).toMatchObject({ created: false });
  });

  test('a short id is unique across the service, and tells nothing but that', async () => {
    const { ticketShortId } = await createTicket();
    const error = await refused('short_id_taken', 'tickets.create', { ...newTicket(), ticketShortId });
    expect(error?.details).toBeUndefined();
  });

  test('a name is unique among the open tickets of a guild', async () => {
    const guildId = snowflake();
    const first = await createTicket({ guildId, ticketName: 'vip' });
    await refused('name_taken', 'tickets.create', { ...newTicket(), guildId, ticketName: 'vip' });
    await createTicket({ ticketName: 'vip' });
    await createTicket({ guildId, ticketName: 'VIP' });
    await createTicket({ guildId, ticketName: 'vip', closed: true });
    await ok('tickets.close', { shortId: first.ticketShortId });
    await createTicket({ guildId, ticketName: 'vip' });
  });

  test('ticketData is kept byte for byte as text, and as JSON.stringify as an object', async () => {
    for (const text of [
      '{"a": 1,\n "n":12345678901234567890, "s":"\\ud800 é"}',
      '"just text"',
      '[[1]]',
      'null',
      ' 5 ',
    ]) {
      expect((await createTicket({ ticketData: text })).ticketData).toBe(text);
    }
    const ticketData = { b: [1, { c: null }], a: 'é\u0000', pi: 3.14 };
    expect((await createTicket({ ticketData })).ticketData).toBe(JSON.stringify(ticketData));
  });

  test('ticketData that cannot be kept is refused by name', async () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    const tooLarge = JSON.stringify('x'.repeat(64 * 1024 - 1));
    const wrong = ['{', '', 'undefined', nested(33), tooLarge, '"\ud800"', 5, true, null, [1], { a: 2 ** 53 }];
    for (const ticketData of wrong) {
      const error = await refused('validation_failed', 'tickets.create', { ...newTicket(), ticketData });
      expect(error?.issues).toEqual([{ path: 'ticketData', message: expect.any(String) }]);
    }
    await createTicket({ ticketData: nested(32) });
    await createTicket({ ticketData: JSON.stringify('x'.repeat(64 * 1024 - 2)) });
    const deepObject = JSON.parse(`{"a":${nested(32)}}`);
    await refused('validation_failed', 'tickets.create', { ...newTicket(), ticketData: deepObject });
  });

  test('a ticket can be made claimed and closed, and its claimer is known then', async () => {
    const claimedBy = snowflake();
    const ticket = await createTicket({ claimedBy, claimed: true, closed: true, channelId: snowflake() });
    expect(ticket).toMatchObject({ claimed: true, claimedBy, claimedAt: ticket.createdAt, closedAt: ticket.createdAt });
    expect(ticket).toMatchObject({ status: 'closed', closed: true, closedBy: null, channelId: expect.any(String) });
    const { userId } = await ok('users.getByDiscordId', { discordId: claimedBy });
    expect(await ok('tickets.getClaimer', { shortId: ticket.ticketShortId })).toEqual({
      userId,
      discordId: claimedBy,
      claimedAt: ticket.createdAt,
    });
    expect(await createTicket({ claimedBy: snowflake() })).toMatchObject({ claimed: true });
    expect(await createTicket({ claimedBy: '' })).toMatchObject({ claimed: false, claimedBy: null });
  });

  test('claimed and claimedBy must agree', async () => {
    for (const claimedBy of [undefined, '', null]) {
      const error = await refused('validation_failed', 'tickets.create', { ...newTicket(), claimed: true, claimedBy });
      expect(error?.issues).toMatchObject([{ path: 'claimedBy' }]);
    }
    const both = { ...newTicket(), claimed: false, claimedBy: snowflake() };
    const error = await refused('validation_failed', 'tickets.create', both);
    expect(error?.issues).toMatchObject([{ path: 'claimed' }]);
  });

  test('each wrong field is named, and nothing is stored', async () => {
    const wrong = {
      ticketType: ['', '.', '..', 'a\u0000', 'a\nb', 'x'.repeat(65), 'a\ud800', 5, null],
      guildId: [
        Number('123456789012345678'),
        '1234567890123456',
        '123456789012345678901',
        '12345678901234567a',
        ' ',
        null,
      ],
      ticketOwner: [undefined, '', 'me'],
      ticketId: ['', 'x', '00000000-0000-1000-8000-000000000000', 5],
      ticketShortId: ['', '.', 'x'.repeat(65)],
      ticketName: ['', '..', 'x'.repeat(101), '\u0085', { $ne: null }],
      claimed: ['false', 1, null],
      closed: ['false', 0],
      claimedBy: ['me', 5],
      channelId: ['', null, 5],
      commandId: ['x'],
      actorId: [5],
      expectedVersion: [1],
      unknown: [1],
      $set: [{ closed: true }],
    };
    const { guildId, ...input } = newTicket();
    for (const [field, values] of Object.entries(wrong)) {
      for (const value of values) {
        const error = await refused('validation_failed', 'tickets.create', { guildId, ...input, [field]: value });
        expect(error?.issues?.map(({ path }) => path)).toEqual([field]);
        expect(error?.message).toContain(field);
      }
    }
    expect(await Ticket.countDocuments({ guildId })).toBe(0);
  });

  test('texts count characters, not UTF-16 units, and are compared by exact code points', async () => {
    const ticketType = '😀'.repeat(64);
    expect(await createTicket({ ticketType })).toMatchObject({ ticketName: `${ticketType}-0001` });
    const [composed, decomposed] = ['caf\u00e9', 'cafe\u0301'];
    const guildId = snowflake();
    await createTicket({ guildId, ticketName: composed });
    await createTicket({ guildId, ticketName: decomposed });
    expect((await ok('tickets.getByName', { ticketName: decomposed, guildId })).ticketName).toBe(decomposed);
  });

  test('the history begins with what was asked for, by whom, with which key', async () => {
    const key = await issueKey('write');
    const input = { ...newTicket(), actorId: snowflake(), commandId: randomUUID(), ticketData: '{}' };
    await ok('tickets.create', input, key);
    const stored = await Ticket.findById(input.ticketId).lean();
    expect(stored?.history).toMatchObject([
      {
        seq: 1,
        type: 'create',
        at: stored?.createdAt,
        actorId: input.actorId,
        keyId: key.slice(4, 12),
        commandId: input.commandId,
        before: null,
        after: { ticketType: 'support', ticketData: '{}', closed: false, claimedBy: null },
      },
    ]);
  });

  test('64 creates with one ticketId make one ticket', async () => {
    const input = newTicket();
    const answers = await Promise.all(Array.from({ length: 64 }, () => ok('tickets.create', input)));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(answers.filter(({ created }) => !created)).toHaveLength(63);
    expect(new Set(answers.map(({ ticket }) => JSON.stringify(ticket))).size).toBe(1);
    expect(await Ticket.countDocuments({ _id: input.ticketId })).toBe(1);
  });

  test('numbers are never given twice', async () => {
    const guildId = snowflake();
    const made = await Promise.all(Array.from({ length: 100 }, () => createTicket({ guildId })));
    expect(new Set(made.map(({ ticketNumber }) => ticketNumber)).size).toBe(100);
    expect(new Set(made.map(({ ticketName }) => ticketName)).size).toBe(100);
  });
});
