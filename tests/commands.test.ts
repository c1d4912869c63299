import { randomUUID } from 'node:crypto';
import { Ticket } from 'counterfoil/tickets/model';
import { User } from 'counterfoil/users/model';
import { expect, test } from 'vitest';
import { contract } from './contract.ts';
import { issueKey, snowflake } from './harness.ts';

contract('commands', ({ ok, refused, createTicket }) => {
  test('claim names the claimer, and makes that person known', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const discordId = snowflake();
    const { claimed, changed, ticket, claimer } = await ok('tickets.claim', { shortId, discordId });
    expect({ claimed, changed }).toEqual({ claimed: true, changed: true });
    expect(ticket).toMatchObject({ claimed: true, claimedBy: discordId, claimedAt: ticket.updatedAt, version: 2 });
    expect(claimer).toEqual({ userId: expect.any(String), discordId });
    expect(await ok('users.get', { userId: claimer.userId })).toMatchObject({ userDiscordId: discordId });
    expect(await ok('tickets.get', { shortId })).toEqual(ticket);
  });

  test('claiming again changes nothing, for the same person', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const discordId = snowflake();
    const first = await ok('tickets.claim', { shortId, discordId });
    expect(await ok('tickets.claim', { shortId, discordId })).toEqual({ ...first, changed: false });
  });

  test('another person is told who claimed the ticket', async () => {
    const claimedBy = snowflake();
    const { ticketShortId: shortId } = await createTicket({ claimedBy });
    const error = await refused('ticket_already_claimed', 'tickets.claim', { shortId, discordId: snowflake() });
    expect(error?.details).toEqual({ claimedBy });
  });

  test('a closed ticket cannot be claimed by anyone but who already has it', async () => {
    const discordId = snowflake();
    const { ticketShortId: shortId } = await createTicket({ claimedBy: discordId, closed: true });
    expect(await ok('tickets.claim', { shortId, discordId })).toMatchObject({ changed: false });
    await refused('ticket_closed', 'tickets.claim', { shortId, discordId: snowflake() });
    const { ticketShortId: unclaimed } = await createTicket({ closed: true });
    await refused('ticket_closed', 'tickets.claim', { shortId: unclaimed, discordId });
  });

  test('close keeps the first closer and reason', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const closedBy = snowflake();
    const reason = 'solved:\n\tall of it, $thanks';
    const { closed, changed, ticket } = await ok('tickets.close', { shortId, closedBy, reason });
    expect({ closed, changed }).toEqual({ closed: true, changed: true });
    expect(ticket).toMatchObject({ status: 'closed', closed: true, closedBy, closeReason: reason, version: 2 });
    expect(ticket.closedAt).toBe(ticket.updatedAt);
    const again = await ok('tickets.close', { shortId, closedBy: snowflake(), reason: 'other' });
    expect(again).toEqual({ closed: true, changed: false, ticket });
  });

  test('close needs nothing but the short id', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const { ticket } = await ok('tickets.close', { shortId });
    expect(ticket).toMatchObject({ closed: true, closedBy: null, closeReason: null });
  });

  test('wrong fields of commands are named, and change nothing', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const wrong: [string, object, string][] = [
      ['tickets.claim', {}, 'discordId'],
      ['tickets.claim', { discordId: Number('12345678901234567') }, 'discordId'],
      ['tickets.claim', { discordId: snowflake(), expectedVersion: 0 }, 'expectedVersion'],
      ['tickets.claim', { discordId: snowflake(), expectedVersion: '1' }, 'expectedVersion'],
      ['tickets.claim', { discordId: snowflake(), expectedVersion: 1.5 }, 'expectedVersion'],
      ['tickets.claim', { discordId: snowflake(), commandId: 'x' }, 'commandId'],
      ['tickets.claim', { discordId: snowflake(), actorId: '1' }, 'actorId'],
      ['tickets.close', { reason: '' }, 'reason'],
      ['tickets.close', { reason: 'x'.repeat(4001) }, 'reason'],
      ['tickets.close', { reason: 'a\u0007' }, 'reason'],
      ['tickets.close', { closedBy: null }, 'closedBy'],
      ['tickets.close', { claimedBy: snowflake() }, 'claimedBy'],
    ];
    for (const [procedure, fields, path] of wrong) {
      const error = await refused('validation_failed', procedure, { shortId, ...fields });
      expect(error?.issues?.map((issue) => issue.path)).toEqual([path]);
    }
    for (const wrongId of [{ $ne: null }, ['1'], { $regex: '^' }, 5, '', '.', '\u0000']) {
      const error = await refused('validation_failed', 'tickets.close', { shortId: wrongId });
      expect(error?.issues?.map((issue) => issue.path)).toEqual(['shortId']);
    }
    expect(await ok('tickets.get', { shortId })).toMatchObject({ version: 1, closed: false, claimed: false });
  });

  test('the same commandId changes nothing twice, whatever others did meanwhile', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const claim = { shortId, discordId: snowflake(), commandId: randomUUID() };
    const first = await ok('tickets.claim', claim);
    expect(await ok('tickets.claim', claim)).toEqual(first);
    const { ticket: closed } = await ok('tickets.close', { shortId });
    const repeated = await ok('tickets.claim', { ...claim, commandId: claim.commandId.toUpperCase() });
    expect(repeated).toEqual({ ...first, changed: true, ticket: closed });
  });

  test('a commandId stands for one command with one input', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const claim = { shortId, discordId: snowflake(), commandId: randomUUID() };
    await ok('tickets.claim', claim);
    await refused('command_id_taken', 'tickets.claim', { ...claim, discordId: snowflake() });
    await refused('command_id_taken', 'tickets.claim', { ...claim, actorId: snowflake() });
    await refused('command_id_taken', 'tickets.close', { shortId, commandId: claim.commandId });
    const { ticketShortId: other } = await createTicket();
    expect(await ok('tickets.claim', { ...claim, shortId: other })).toMatchObject({ changed: true });
    const commandId = randomUUID();
    const { ticketShortId: third } = await createTicket({ commandId });
    await refused('command_id_taken', 'tickets.close', { shortId: third, commandId });
  });

  test('expectedVersion refuses a command on a ticket that has moved on', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const error = await refused('version_mismatch', 'tickets.close', { shortId, expectedVersion: 2 });
    expect(error?.details).toEqual({ version: 1 });
    expect(await ok('tickets.close', { shortId, expectedVersion: 1 })).toMatchObject({ changed: true });
  });

  test('the checks come in order: commandId, intent, expectedVersion, rule', async () => {
    const discordId = snowflake();
    const { ticketShortId: shortId } = await createTicket();
    const claim = { shortId, discordId, expectedVersion: 1, commandId: randomUUID() };
    await ok('tickets.claim', claim);
    expect(await ok('tickets.claim', claim)).toMatchObject({ changed: true });
    expect(await ok('tickets.claim', { shortId, discordId, expectedVersion: 1 })).toMatchObject({ changed: false });
    await refused('command_id_taken', 'tickets.claim', { ...claim, expectedVersion: 2 });
    const other = { shortId, discordId: snowflake() };
    await refused('version_mismatch', 'tickets.claim', { ...other, expectedVersion: 1 });
    await refused('ticket_already_claimed', 'tickets.claim', { ...other, expectedVersion: 2 });
  });

  test('the history entry is written with the change: version, actor, key, before and after', async () => {
    const key = await issueKey('write');
    const keyId = key.slice(4, 12);
    const { ticketShortId: shortId, ticketId } = await createTicket();
    const [discordId, closedBy, actorId] = [snowflake(), snowflake(), snowflake()];
    const commandId = randomUUID();
    const { ticket: claimed } = await ok('tickets.claim', { shortId, discordId, commandId }, key);
    const { ticket: closed } = await ok('tickets.close', { shortId, closedBy, actorId, reason: '$ne' }, key);
    await ok('tickets.close', { shortId }, key);
    const stored = await Ticket.findById(ticketId).lean();
    expect(stored?.version).toBe(3);
    expect(stored?.history.slice(1)).toMatchObject([
      {
        seq: 2,
        type: 'claim',
        at: new Date(claimed.claimedAt),
        actorId: discordId,
        keyId,
        commandId,
        before: { claimedBy: null, claimedAt: null },
        after: { claimedBy: discordId, claimedAt: new Date(claimed.claimedAt) },
      },
      {
        seq: 3,
        type: 'close',
        actorId,
        keyId,
        commandId: null,
        before: { closed: false, closedBy: null, closeReason: null, closedAt: null },
        after: { closed: true, closedBy, closeReason: '$ne', closedAt: new Date(closed.closedAt) },
      },
    ]);
  });

  test('an unknown ticket is not found, and a claim of it makes nobody known twice', async () => {
    const discordId = snowflake();
    await refused('ticket_not_found', 'tickets.close', { shortId: 'nowhere' });
    await refused('ticket_not_found', 'tickets.claim', { shortId: 'nowhere', discordId });
    await refused('ticket_not_found', 'tickets.claim', { shortId: 'nowhere', discordId });
    expect(await User.countDocuments({ discordId })).toBe(1);
  });
});
