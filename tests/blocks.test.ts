import { Block } from 'counterfoil/blocks/model';
import { expect, test } from 'vitest';
import { contract, newTicket } from './contract.ts';
import { snowflake } from './harness.ts';

contract('blocks', ({ ok, refused }) => {
  test('a block keeps its person from opening tickets, of one type or of all, in its guild', async () => {
    const [guildId, discordId] = [snowflake(), snowflake()];
    const create = (more: object) => ({ ...newTicket(), guildId, ticketOwner: discordId, ...more });
    const { changed, block } = await ok('blocks.create', {
      guildId,
      discordId,
      ticketType: 'support',
      reason: 'Spam.',
    });
    expect(changed).toBe(true);
    expect(block).toEqual({
      guildId,
      discordId,
      ticketType: 'support',
      reason: 'Spam.',
      expiresAt: null,
      createdAt: expect.any(String),
    });
    const error = await refused('owner_blocked', 'tickets.create', create({}));
    expect(error).toMatchObject({ details: { reason: 'Spam.', expiresAt: null } });
    await ok('tickets.create', create({ ticketType: 'other' }));
    await ok('tickets.create', create({ guildId: snowflake() }));
    await ok('tickets.create', create({ ticketOwner: snowflake() }));
    await ok('blocks.create', { guildId, discordId });
    expect((await refused('owner_blocked', 'tickets.create', create({ ticketType: 'other' })))?.details).toEqual({
      reason: null,
      expiresAt: null,
    });
    const until = { ticketType: 'support', expiresAt: '2099-01-01T00:00:00.000Z' };
    await ok('blocks.create', { guildId, discordId, ...until });
    expect((await refused('owner_blocked', 'tickets.create', create({})))?.details).toMatchObject({ expiresAt: null });
    expect(await ok('blocks.delete', { guildId, discordId })).toEqual({ changed: true });
    expect(await ok('blocks.delete', { guildId, discordId })).toEqual({ changed: false });
    await ok('tickets.create', create({ ticketType: 'other' }));
    await refused('owner_blocked', 'tickets.create', create({}));
  });

  test('the same block again changes nothing, another reason or end takes its place', async () => {
    const who = { guildId: snowflake(), discordId: snowflake() };
    const block = { ...who, reason: 'Spam.', expiresAt: '2099-01-01T01:00:00+01:00' };
    const first = await ok('blocks.create', block);
    expect(first.block.expiresAt).toBe('2099-01-01T00:00:00.000Z');
    expect(await ok('blocks.create', block)).toEqual({ ...first, changed: false });
    expect(await ok('blocks.create', { ...block, reason: 'More spam.' })).toEqual({
      changed: true,
      block: { ...first.block, reason: 'More spam.' },
    });
    expect(await ok('blocks.create', who)).toMatchObject({ changed: true, block: { reason: null, expiresAt: null } });
    expect(await ok('blocks.create', who)).toMatchObject({ changed: false });
    const answers = await Promise.all(Array.from({ length: 16 }, () => ok('blocks.create', { ...block, reason: 'x' })));
    expect(answers.filter(({ changed }) => changed).length).toBeGreaterThanOrEqual(1);
    expect(await Block.countDocuments({ guildId: who.guildId })).toBe(1);
  });

  test('a block that has expired is none', async () => {
    const [guildId, discordId] = [snowflake(), snowflake()];
    const expiresAt = new Date(Date.now() + 300).toISOString();
    await ok('blocks.create', { guildId, discordId, expiresAt });
    const create = { ...newTicket(), guildId, ticketOwner: discordId };
    expect((await refused('owner_blocked', 'tickets.create', create))?.details).toEqual({ reason: null, expiresAt });
    await new Promise((done) => setTimeout(done, 310));
    expect(await ok('blocks.list', { guildId })).toEqual({ blocks: [], nextCursor: null });
    expect(await ok('tickets.create', create)).toMatchObject({ created: true });
  });

  test('blocks are listed newest first, by pages', async () => {
    const guildId = snowflake();
    const made: string[] = [];
    for (let place = 0; place < 5; place += 1) {
      const discordId = snowflake();
      await ok('blocks.create', { guildId, discordId });
      made.unshift(discordId);
    }
    await ok('blocks.create', { guildId: snowflake(), discordId: snowflake() });
    const first = await ok('blocks.list', { guildId, limit: 3 });
    const second = await ok('blocks.list', { guildId, limit: 3, cursor: first.nextCursor });
    const seen = [...first.blocks, ...second.blocks].map(({ discordId }: { discordId: string }) => discordId);
    expect({ seen, end: second.nextCursor }).toEqual({ seen: made, end: null });
    await refused('validation_failed', 'blocks.list', { guildId: snowflake(), cursor: first.nextCursor });
  });

  test('bad input is refused by name', async () => {
    const who = { guildId: snowflake(), discordId: snowflake() };
    for (const [field, value] of [
      ['discordId', 'robin'],
      ['expiresAt', 'tomorrow'],
      ['expiresAt', 4102444800],
      ['expiresAt', '9999-12-31T23:59:59-23:59'],
      ['expiresAt', '0000-01-01T00:00:00+23:59'],
      ['reason', ''],
      ['ticketType', null],
      ['until', 'x'],
    ] as const) {
      const error = await refused('validation_failed', 'blocks.create', { ...who, [field]: value });
      expect(error?.issues?.map(({ path }) => path)).toEqual([field]);
    }
  });
});
