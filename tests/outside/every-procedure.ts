import { createClient, pages } from '@counterfoil/client';

const counterfoil = createClient({ url: 'http://127.0.0.1:4000', key: 'a key' });
const { tickets, channels, blocks, users, guilds, keys, audit } = counterfoil;
const shortId = 'k7m2p9xq';
const guildId = '112233445566778899';
const discordId = '223344556677889900';
const ticketType = 'support';
const type = { guildId, ticketType };

/** Calls every procedure with every field that its input has. It is compiled, not run. */
export async function callEverything(): Promise<void> {
  const command = { actorId: discordId, expectedVersion: 3, commandId: crypto.randomUUID() };
  const filters = {
    ...type,
    status: 'open',
    ticketOwner: discordId,
    claimedBy: 'none',
    channelId: discordId,
    label: 'vip',
    priority: 'high',
    createdAfter: '2026-11-24T00:00:00Z',
    createdBefore: '2026-11-25T00:00:00Z',
    q: 'refund',
  } as const;

  await tickets.create.mutate({
    ...type,
    ticketOwner: discordId,
    ticketId: crypto.randomUUID(),
    ticketShortId: shortId,
    ticketName: 'support-0001',
    ticketData: { topic: 'billing' },
    claimed: true,
    claimedBy: discordId,
    closed: false,
    channelId: discordId,
    actorId: discordId,
    commandId: crypto.randomUUID(),
  });
  await tickets.claim.mutate({ shortId, discordId, ...command });
  await tickets.unclaim.mutate({ shortId, discordId, ...command });
  await tickets.transfer.mutate({ shortId, discordId, ...command });
  await tickets.close.mutate({ shortId, closedBy: discordId, reason: 'Solved', ...command });
  await tickets.reopen.mutate({ shortId, ...command });
  await tickets.update.mutate({
    shortId,
    ticketName: 'refund',
    ticketType,
    ticketOwner: discordId,
    ticketData: '{"topic":"refund"}',
    channelId: null,
    priority: 'urgent',
    labels: ['vip'],
    ...command,
  });
  await tickets.addParticipant.mutate({ shortId, discordId, ...command });
  await tickets.removeParticipant.mutate({ shortId, discordId, ...command });
  await tickets.rate.mutate({ shortId, discordId, rating: 5, comment: 'Quick', ...command });
  await tickets.addNote.mutate({ shortId, authorId: discordId, text: 'Careful', noteId: crypto.randomUUID() });
  await tickets.delete.mutate({ shortId, ...command });

  await tickets.get.query({ shortId });
  await tickets.getByName.query({ ticketName: 'support-0001', guildId });
  await tickets.isClaimed.query({ shortId });
  await tickets.isClaimer.query({ userId: discordId, shortId });
  await tickets.getClaimer.query({ shortId });
  await tickets.count.query(filters);
  await tickets.eligibility.query({ ...type, discordId });
  const { notes } = await tickets.notes.query({ shortId });
  console.log(notes.map(({ text }) => text.length));
  for await (const page of pages((cursor) => tickets.list.query({ ...filters, sort: 'oldest', limit: 100, cursor }))) {
    console.log(page.tickets.map((ticket) => ticket.ticketNumber?.toFixed()));
  }
  for await (const { history } of pages((cursor) => tickets.history.query({ shortId, limit: 100, cursor }))) {
    console.log(history.map(({ seq }) => seq.toFixed()));
  }

  await channels.create.mutate({ id: crypto.randomUUID(), ...type, channelId: discordId });
  await channels.get.query(type);
  await channels.list.query({ guildId });
  await channels.update.mutate({
    ...type,
    channelId: discordId,
    displayName: 'Support',
    maxOpenPerOwner: 1,
    cooldownSeconds: null,
    requireCloseReason: true,
    staffRoleIds: [discordId],
  });
  await channels.delete.mutate(type);

  await blocks.create.mutate({ ...type, discordId, reason: 'Spam', expiresAt: '2026-12-24T00:00:00Z' });
  for await (const page of pages((cursor) => blocks.list.query({ guildId, limit: 100, cursor }))) {
    console.log(page.blocks.map((block) => block.reason?.length));
  }
  await blocks.delete.mutate({ ...type, discordId });

  await users.create.mutate({ userDiscordId: discordId, userId: crypto.randomUUID(), userDisplayName: 'Kim' });
  await users.get.query({ userId: crypto.randomUUID() });
  await users.getByDiscordId.query({ discordId });
  await users.exists.query({ discordId });
  await users.erase.mutate({ discordId });
  await guilds.erase.mutate({ guildId });

  const { key, secret } = await keys.create.mutate({
    name: 'bot',
    scope: 'write',
    guildIds: [guildId],
    expiresAt: '2027-11-24T00:00:00Z',
    rateLimit: 50,
  });
  console.log(secret.length);
  await keys.list.query({});
  await keys.rotate.mutate({ keyId: key.keyId, overlapHours: 24 });
  await keys.revoke.mutate({ keyId: key.keyId });
  for await (const page of pages((cursor) => audit.list.query({ guildId, limit: 100, cursor }))) {
    console.log(page.audit.length);
  }
}
