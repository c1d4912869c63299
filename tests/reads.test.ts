import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { contract } from './contract.ts';
import { issueKey, snowflake } from './harness.ts';

contract('reading tickets', ({ app, ok, refused, createTicket }) => {
  test('isClaimer takes the database id and the Discord id of a user', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const { claimer } = await ok('tickets.claim', { shortId, discordId: snowflake() });
    const { user: other } = await ok('users.create', { userDiscordId: snowflake() });
    const cases: [string, boolean][] = [
      [claimer.userId, true],
      [claimer.userId.toUpperCase(), true],
      [claimer.discordId, true],
      [other.userId, false],
      [other.userDiscordId, false],
      [randomUUID(), false],
      [snowflake(), false],
    ];
    for (const [userId, isClaimer] of cases) {
      expect(await ok('tickets.isClaimer', { userId, shortId })).toEqual({ isClaimer });
    }
    await refused('ticket_not_found', 'tickets.isClaimer', { userId: claimer.userId, shortId: 'nowhere' });
    const error = await refused('validation_failed', 'tickets.isClaimer', { userId: 'me', shortId });
    expect(error?.issues).toMatchObject([{ path: 'userId' }]);
  });

  test('isClaimed and getClaimer tell the claimer, the same before and after the close', async () => {
    const { ticketShortId: shortId } = await createTicket();
    expect(await ok('tickets.isClaimed', { shortId })).toEqual({ claimed: false, claimer: null, claimedAt: null });
    await refused('ticket_not_claimed', 'tickets.getClaimer', { shortId });
    const { claimer, ticket } = await ok('tickets.claim', { shortId, discordId: snowflake() });
    const { claimedAt } = ticket;
    for (let round = 0; round < 2; round += 1) {
      expect(await ok('tickets.isClaimed', { shortId })).toEqual({ claimed: true, claimer, claimedAt });
      expect(await ok('tickets.getClaimer', { shortId })).toEqual({ ...claimer, claimedAt });
      await ok('tickets.close', { shortId });
    }
    await refused('ticket_not_found', 'tickets.isClaimed', { shortId: 'nowhere' });
    await refused('ticket_not_found', 'tickets.getClaimer', { shortId: 'nowhere' });
  });

  test('a short id is compared exactly', async () => {
    const { ticketShortId } = await createTicket({ ticketShortId: `Ab ${randomUUID()} / % é` });
    expect((await ok('tickets.get', { shortId: ticketShortId })).ticketShortId).toBe(ticketShortId);
    await refused('ticket_not_found', 'tickets.get', { shortId: ticketShortId.toLowerCase() });
    await refused('ticket_not_found', 'tickets.get', { shortId: `${ticketShortId} ` });
  });

  test('by name: the open ticket, else the newest closed one', async () => {
    const guildId = snowflake();
    const ticketName = `by name ${randomUUID()}`;
    const old = await createTicket({ guildId, ticketName });
    await ok('tickets.close', { shortId: old.ticketShortId });
    const newer = await createTicket({ guildId, ticketName });
    expect((await ok('tickets.getByName', { ticketName })).ticketId).toBe(newer.ticketId);
    await ok('tickets.close', { shortId: newer.ticketShortId });
    expect((await ok('tickets.getByName', { ticketName })).ticketId).toBe(newer.ticketId);
    expect((await ok('tickets.getByName', { ticketName, guildId })).ticketId).toBe(newer.ticketId);
    await refused('ticket_not_found', 'tickets.getByName', { ticketName, guildId: snowflake() });
    await refused('ticket_not_found', 'tickets.getByName', { ticketName: `${ticketName}!` });
  });

  test('by name: several guilds are ambiguous, open ones before closed ones', async () => {
    const ticketName = `ambiguous ${randomUUID()}`;
    const [one, two] = [snowflake(), snowflake()].sort() as [string, string];
    await createTicket({ guildId: one, ticketName, closed: true });
    await createTicket({ guildId: two, ticketName, closed: true });
    const closed = await refused('ambiguous_name', 'tickets.getByName', { ticketName });
    expect(closed?.details).toEqual({ guildIds: [one, two] });
    const open = await createTicket({ guildId: two, ticketName });
    expect((await ok('tickets.getByName', { ticketName })).ticketId).toBe(open.ticketId);
    await createTicket({ guildId: one, ticketName });
    await refused('ambiguous_name', 'tickets.getByName', { ticketName });
    expect((await ok('tickets.getByName', { ticketName, guildId: two })).ticketId).toBe(open.ticketId);
    // A key that sees one of the guilds finds nothing ambiguous.
    const key = await issueKey('read', { guildIds: [two] });
    expect((await ok('tickets.getByName', { ticketName }, key)).ticketId).toBe(open.ticketId);
  });

  test('a key of other guilds sees a ticket as if it did not exist', async () => {
    const guildId = snowflake();
    const { ticketShortId: shortId, ticketName } = await createTicket({ guildId, claimedBy: snowflake() });
    const key = await issueKey('admin', { guildIds: [snowflake()] });
    const discordId = snowflake();
    for (const [procedure, input] of [
      ['tickets.get', {}],
      ['tickets.isClaimed', {}],
      ['tickets.getClaimer', {}],
      ['tickets.isClaimer', { userId: discordId }],
      ['tickets.claim', { discordId }],
      ['tickets.close', {}],
    ] as const) {
      const hidden = await refused('ticket_not_found', procedure, { shortId, ...input }, key);
      const missing = await refused('ticket_not_found', procedure, { shortId: 'x'.repeat(13), ...input }, key);
      const anonymous = (error: typeof hidden, id: string) =>
        JSON.stringify(error)
          .replaceAll(id, '')
          .replace(error?.requestId ?? '', '');
      expect(anonymous(hidden, shortId)).toBe(anonymous(missing, 'x'.repeat(13)));
    }
    await refused('ticket_not_found', 'tickets.getByName', { ticketName: `${ticketName} of nobody` }, key);
    await refused('guild_not_allowed', 'tickets.getByName', { ticketName, guildId }, key);
    await refused('guild_not_allowed', 'channels.get', { ticketType: 'support', guildId }, key);
    const ticket = { ticketType: 'support', guildId, ticketOwner: discordId };
    await refused('guild_not_allowed', 'tickets.create', ticket, key);
    await refused('guild_not_allowed', 'channels.create', { ticketType: 'a', guildId, channelId: discordId }, key);
    expect((await ok('tickets.get', { shortId })).version).toBe(1);
  });

  test('a read key reads and writes nothing, and a bad input is told first', async () => {
    const key = await issueKey('read');
    const { ticketShortId: shortId } = await createTicket();
    await ok('tickets.get', { shortId }, key);
    await refused('insufficient_scope', 'tickets.close', { shortId }, key);
    await refused('validation_failed', 'tickets.close', { shortId, x: 1 }, key);
    const bound = await issueKey('read', { guildIds: [snowflake()] });
    const ticket = { ticketType: 'support', guildId: snowflake(), ticketOwner: snowflake() };
    await refused('insufficient_scope', 'tickets.create', ticket, bound);
  });

  test('the typed client reads what the transports write', async () => {
    const ticket = await createTicket();
    const client = app().client();
    expect(await client.tickets.get.query({ shortId: ticket.ticketShortId })).toEqual(ticket);
    const batch = [1, 2, 3].map(() => client.tickets.isClaimed.query({ shortId: ticket.ticketShortId }));
    expect(await Promise.all(batch)).toHaveLength(3);
    const refusal = await client.tickets.get.query({ shortId: 'nowhere' }).catch((error) => error.data);
    expect(refusal).toMatchObject({ type: 'ticket_not_found', httpStatus: 404 });
  });
});
