import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { contract } from './contract.ts';
import { snowflake } from './harness.ts';

contract('users', ({ ok, refused }) => {
  test('a user is made known once, and keeps the first display name', async () => {
    const userDiscordId = snowflake();
    const userId = randomUUID();
    const { created, user } = await ok('users.create', { userDiscordId, userId, userDisplayName: 'Ann' });
    expect(created).toBe(true);
    expect(user).toEqual({ userId, userDiscordId, userDisplayName: 'Ann', createdAt: expect.any(String) });
    for (const again of [{ userId }, { userId: userId.toUpperCase() }, {}, { userDisplayName: 'Bob' }]) {
      expect(await ok('users.create', { userDiscordId, ...again })).toEqual({ created: false, user });
    }
    expect(await ok('users.get', { userId })).toEqual(user);
    expect(await ok('users.getByDiscordId', { discordId: userDiscordId })).toEqual(user);
    expect(await ok('users.exists', { discordId: userDiscordId })).toEqual({ exists: true });
  });

  test('a user whom a claim made known gets the first display name that is given', async () => {
    const userDiscordId = snowflake();
    await ok('tickets.create', {
      ticketType: 'a',
      guildId: snowflake(),
      ticketOwner: userDiscordId,
      claimedBy: userDiscordId,
    });
    for (const userDisplayName of ['Robin', 'Bob']) {
      const { created, user } = await ok('users.create', { userDiscordId, userDisplayName });
      expect({ created, name: user.userDisplayName }).toEqual({ created: false, name: 'Robin' });
    }
  });

  test('another userId for a Discord id, or the reverse, is refused', async () => {
    const { user } = await ok('users.create', { userDiscordId: snowflake() });
    const { userId, userDiscordId } = user;
    await refused('user_exists', 'users.create', { userDiscordId, userId: randomUUID() });
    const newcomer = snowflake();
    await refused('user_exists', 'users.create', { userDiscordId: newcomer, userId });
    expect(await ok('users.exists', { discordId: newcomer })).toEqual({ exists: false });
  });

  test('simultaneous creates of one person make one user', async () => {
    const pair = { userDiscordId: snowflake(), userId: randomUUID() };
    const answers = await Promise.all(Array.from({ length: 32 }, () => ok('users.create', pair)));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ user }) => JSON.stringify(user))).size).toBe(1);
  });

  test('an unknown user is not found', async () => {
    await refused('user_not_found', 'users.get', { userId: randomUUID() });
    await refused('user_not_found', 'users.getByDiscordId', { discordId: snowflake() });
    await refused('validation_failed', 'users.get', { userId: snowflake() });
  });
});

contract('channels', ({ ok, refused }) => {
  test('a ticket type is assigned to a channel once', async () => {
    const assignment = { ticketType: 'support', guildId: snowflake(), channelId: snowflake() };
    const id = randomUUID();
    const { created, channel } = await ok('channels.create', { ...assignment, id });
    expect(created).toBe(true);
    expect(channel).toEqual({
      id,
      ...assignment,
      displayName: null,
      maxOpenPerOwner: null,
      cooldownSeconds: null,
      requireCloseReason: null,
      staffRoleIds: null,
      createdAt: expect.any(String),
      updatedAt: channel.createdAt,
    });
    expect(await ok('channels.create', assignment)).toEqual({ created: false, channel });
    expect(await ok('channels.create', { ...assignment, id: randomUUID() })).toEqual({ created: false, channel });
    const { ticketType, guildId } = assignment;
    expect(await ok('channels.get', { ticketType, guildId })).toEqual(channel);
    await refused('ticket_channel_exists', 'channels.create', { ...assignment, channelId: snowflake() });
    await refused('ticket_channel_exists', 'channels.create', { ...assignment, id, ticketType: 'other' });
  });

  test('simultaneous assignments make one', async () => {
    const assignment = { ticketType: 'support', guildId: snowflake(), channelId: snowflake() };
    const answers = await Promise.all(Array.from({ length: 32 }, () => ok('channels.create', assignment)));
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
  });

  test('the settings of a type change one by one, null clears, and what holds already changes nothing', async () => {
    const type = { ticketType: 'support', guildId: snowflake() };
    await refused('ticket_channel_not_found', 'channels.update', { ...type, displayName: 'Help' });
    const made = await ok('channels.create', { ...type, channelId: snowflake() });
    const settings = {
      channelId: snowflake(),
      displayName: 'Help',
      maxOpenPerOwner: 2,
      cooldownSeconds: 60,
      requireCloseReason: true,
      staffRoleIds: [snowflake(), snowflake()],
    };
    const { changed, channel } = await ok('channels.update', { ...type, ...settings });
    expect(changed).toBe(true);
    expect(channel).toEqual({ ...made.channel, ...settings, updatedAt: channel.updatedAt });
    expect(channel.updatedAt > made.channel.updatedAt).toBe(true);
    expect(await ok('channels.update', { ...type, ...settings })).toEqual({ changed: false, channel });
    expect(await ok('channels.update', { ...type, displayName: 'Help', cooldownSeconds: null })).toMatchObject({
      changed: true,
      channel: { ...settings, cooldownSeconds: null },
    });
    const { channelId: _, ...clearable } = settings;
    const cleared = Object.fromEntries(Object.keys(clearable).map((field) => [field, null]));
    expect((await ok('channels.update', { ...type, ...cleared })).channel).toMatchObject(cleared);
    expect(await ok('channels.get', type)).toMatchObject(cleared);
    for (const [field, value] of [
      ['', undefined],
      ['channelId', null],
      ['displayName', ''],
      ['maxOpenPerOwner', 0],
      ['maxOpenPerOwner', '1'],
      ['cooldownSeconds', 1.5],
      ['requireCloseReason', 'false'],
      ['staffRoleIds', [type.guildId, type.guildId]],
      ['name', 'x'],
    ] as const) {
      const error = await refused('validation_failed', 'channels.update', { ...type, [field || 'none']: value });
      expect(error?.issues?.map(({ path }) => path)).toContain(field);
    }
  });

  test('the types of a guild are listed by name, and one that is deleted is gone', async () => {
    const guildId = snowflake();
    expect(await ok('channels.list', { guildId })).toEqual({ channels: [] });
    const add = async (ticketType: string) =>
      (await ok('channels.create', { guildId, ticketType, channelId: snowflake() })).channel;
    const [support, billing] = [await add('support'), await add('billing')];
    await ok('channels.create', { guildId: snowflake(), ticketType: 'other', channelId: snowflake() });
    expect(await ok('channels.list', { guildId })).toEqual({ channels: [billing, support] });
    expect(await ok('channels.delete', { guildId, ticketType: 'billing' })).toEqual({ changed: true });
    expect(await ok('channels.delete', { guildId, ticketType: 'billing' })).toEqual({ changed: false });
    expect(await ok('channels.list', { guildId })).toEqual({ channels: [support] });
  });

  test('an unknown assignment is not found, by exact type and guild', async () => {
    const assignment = { ticketType: 'Support', guildId: snowflake(), channelId: snowflake() };
    await ok('channels.create', assignment);
    await refused('ticket_channel_not_found', 'channels.get', { ticketType: 'support', guildId: assignment.guildId });
    await refused('ticket_channel_not_found', 'channels.get', { ticketType: 'Support', guildId: snowflake() });
  });
});
