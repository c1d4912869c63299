import { randomUUID } from 'node:crypto';
import { Block } from 'counterfoil/blocks/model';
import { ArchivedHistory } from 'counterfoil/tickets/history';
import { Ticket } from 'counterfoil/tickets/model';
import { Note } from 'counterfoil/tickets/notes';
import { connection, trusted } from 'mongoose';
import { expect, test } from 'vitest';
import { type Contract, contract, newTicket } from './contract.ts';
import { issueKey, snowflake } from './harness.ts';

/** Every document of the whole database that holds a text anywhere. */
async function documentsWith(text: string): Promise<string[]> {
  const collections = await connection.db?.listCollections().toArray();
  const found: string[] = [];
  for (const { name } of collections ?? []) {
    for await (const document of connection.collection(name).find()) {
      if (JSON.stringify(document).includes(text)) found.push(name);
    }
  }
  return found;
}

/** A ticket whose history has grown beyond what stays in it. */
async function ticketWithHistory(ok: Contract['ok'], fields: object) {
  const { ticket } = await ok('tickets.create', { ...newTicket(), ...fields });
  const shortId = ticket.ticketShortId;
  for (let round = 0; round < 55; round += 1) await ok('tickets.update', { shortId, labels: [String(round)] });
  return { shortId, ticketId: ticket.ticketId as string };
}

contract('deletion', ({ ok, refused }) => {
  test('a deleted ticket is gone with its notes and its history, and its number is not used again', async () => {
    const guildId = snowflake();
    const { shortId, ticketId } = await ticketWithHistory(ok, { guildId });
    await ok('tickets.addNote', { shortId, authorId: snowflake(), text: 'hm' });
    const other = await ok('tickets.create', { ...newTicket(), guildId });
    await refused('version_mismatch', 'tickets.delete', { shortId, expectedVersion: 1 });
    expect(await ok('tickets.get', { shortId })).toMatchObject({ version: 56 });
    expect(await ok('tickets.delete', { shortId, commandId: randomUUID(), expectedVersion: 56 })).toEqual({
      changed: true,
    });
    expect(await ok('tickets.delete', { shortId, commandId: randomUUID(), expectedVersion: 56 })).toEqual({
      changed: false,
    });
    await refused('ticket_not_found', 'tickets.get', { shortId });
    expect(await documentsWith(ticketId)).toEqual([]);
    await ok('tickets.delete', { shortId: other.ticket.ticketShortId });
    expect((await ok('tickets.create', { ...newTicket(), guildId })).ticket.ticketNumber).toBe(3);
  });

  test('it is for admin keys, within their guilds', async () => {
    const { ticket } = await ok('tickets.create', newTicket());
    const { ticketShortId: shortId, guildId } = ticket;
    await refused('insufficient_scope', 'tickets.delete', { shortId }, await issueKey('write'));
    const elsewhere = await issueKey('admin', { guildIds: [snowflake()] });
    expect(await ok('tickets.delete', { shortId }, elsewhere)).toEqual({ changed: false });
    await ok('tickets.get', { shortId });
    const here = await issueKey('admin', { guildIds: [guildId] });
    expect(await ok('tickets.delete', { shortId }, here)).toEqual({ changed: true });
  });

  test('an erased guild leaves nothing but its counter and the audit trail', async () => {
    const [guildId, other] = [snowflake(), snowflake()];
    const { shortId } = await ticketWithHistory(ok, { guildId });
    await ok('tickets.addNote', { shortId, authorId: snowflake(), text: 'hm' });
    await ok('channels.create', { guildId, ticketType: 'limited', channelId: snowflake() });
    await ok('channels.update', { guildId, ticketType: 'limited', maxOpenPerOwner: 1 });
    await ok('tickets.create', { ...newTicket(), guildId, ticketType: 'limited' });
    await ok('blocks.create', { guildId, discordId: snowflake() });
    const { ticket: stays } = await ok('tickets.create', { ...newTicket(), guildId: other });
    expect(await ok('guilds.erase', { guildId })).toEqual({ changed: true, done: true, tickets: 2 });
    expect(new Set(await documentsWith(guildId))).toEqual(new Set(['counters', 'audit']));
    expect(await ok('guilds.erase', { guildId })).toEqual({ changed: false, done: true, tickets: 0 });
    expect(await ok('tickets.get', { shortId: stays.ticketShortId })).toEqual(stays);
  });
});

contract('the erasure of a person', ({ ok, refused }) => {
  test('takes their id, name and texts out of everything, and keeps the figures', async () => {
    const [guildId, person, staff] = [snowflake(), snowflake(), snowflake()];
    await ok('users.create', { userDiscordId: person, userDisplayName: `name of ${person}` });
    const own = await ticketWithHistory(ok, {
      guildId,
      ticketOwner: person,
      actorId: person,
      ticketName: `ticket-${person}`,
      ticketData: JSON.stringify({ text: `my zzsecret is ${person}` }),
    });
    const { shortId } = own;
    await ok('tickets.claim', { shortId, discordId: staff });
    await ok('tickets.update', { shortId, ticketData: `{"text":"another zzsecret of ${person}"}` });
    await ok('tickets.close', { shortId, closedBy: person, reason: 'done' });
    await ok('tickets.rate', { shortId, discordId: person, rating: 4, comment: `kind, says ${person}` });
    const helped = await ok('tickets.create', {
      ...newTicket(),
      guildId,
      claimedBy: person,
      ticketData: `{"text":"kept for ${person}","id":${person}}`,
    });
    const two = { shortId: helped.ticket.ticketShortId };
    await ok('tickets.transfer', { ...two, discordId: staff, actorId: person });
    await ok('tickets.addParticipant', { ...two, discordId: person });
    const { note } = await ok('tickets.addNote', { ...two, authorId: person, text: `seen by ${person}` });
    const claimed = await ok('tickets.create', { ...newTicket(), guildId, claimedBy: person });
    await ok('blocks.create', { guildId, discordId: person });
    await ok('channels.create', { guildId, ticketType: 'limited', channelId: snowflake() });
    await ok('channels.update', { guildId, ticketType: 'limited', maxOpenPerOwner: 1 });
    await ok('blocks.delete', { guildId, discordId: person });
    await ok('tickets.create', { ...newTicket(), guildId, ticketType: 'limited', ticketOwner: person });
    await ok('blocks.create', { guildId, discordId: person });
    const untouched = await ok('tickets.create', { ...newTicket(), guildId });
    expect(await ok('tickets.count', { guildId, ticketOwner: person })).toMatchObject({ count: 2 });

    expect(await ok('users.erase', { discordId: person })).toEqual({ changed: true, done: true, tickets: 4 });
    expect(await documentsWith(person)).toEqual([]);
    expect(await documentsWith('zzsecret')).toEqual([]);
    expect(await ok('users.erase', { discordId: person })).toEqual({ changed: false, done: true, tickets: 0 });
    expect(await ok('users.exists', { discordId: person })).toEqual({ exists: false });

    const ticket = await ok('tickets.get', { shortId });
    const { ticketOwner: standIn } = ticket;
    expect(standIn).toMatch(/^99[0-9]{18}$/);
    expect(ticket).toMatchObject({ closedBy: standIn, claimedBy: staff, ticketData: null, closeReason: 'done' });
    expect(ticket.ticketName).toBe(`ticket-${standIn}`);
    expect(ticket.rating).toMatchObject({ rating: 4, comment: null });
    expect(await ok('tickets.count', { guildId, ticketOwner: standIn })).toMatchObject({ count: 2 });
    const second = await ok('tickets.get', two);
    expect(second).toMatchObject({
      participants: [standIn],
      ticketData: `{"text":"kept for ${standIn}","id":${standIn}}`,
    });
    const { claimIntervals } = await ok('tickets.history', two);
    expect(claimIntervals).toMatchObject([{ claimer: standIn }, { claimer: staff }]);
    const { ticketShortId: third } = claimed.ticket;
    const { userId, discordId } = await ok('tickets.getClaimer', { shortId: third });
    expect({ discordId, same: userId === claimed.ticket.claimerId }).toEqual({ discordId: standIn, same: false });
    expect(await ok('tickets.isClaimer', { shortId: third, userId })).toEqual({ isClaimer: true });
    expect(await ok('tickets.notes', two)).toEqual({ notes: [{ ...note, authorId: standIn, text: '[erased]' }] });
    expect(await ok('tickets.get', { shortId: untouched.ticket.ticketShortId })).toEqual(untouched.ticket);

    // The history still replays to the ticket as it is.
    const { history } = await ok('tickets.history', { shortId, limit: 100 });
    expect(history.at(-1)).toMatchObject({ seq: ticket.version, type: 'erase', before: {}, after: {} });
    expect(ticket).toMatchObject(Object.assign({}, ...history.map(({ after }: { after: object }) => after)));
    expect(await ok('tickets.list', { guildId, q: 'kept' })).toMatchObject({ tickets: [second] });
  });

  test('what the next owner of a ticket has written stays theirs', async () => {
    const [person, next] = [snowflake(), snowflake()];
    const { shortId } = await ticketWithHistory(ok, { ticketOwner: person, ticketData: '"first"' });
    await ok('tickets.update', { shortId, ticketOwner: next });
    const { version } = await ok('tickets.get', { shortId });
    await ok('tickets.update', { shortId, ticketData: '"second"' });
    await ok('tickets.close', { shortId });
    await ok('tickets.rate', { shortId, discordId: next, rating: 3, comment: 'slow' });
    await ok('users.erase', { discordId: person });
    expect(await ok('tickets.get', { shortId })).toMatchObject({
      ticketOwner: next,
      ticketData: '"second"',
      rating: { rating: 3, comment: 'slow' },
    });
    const { history } = await ok('tickets.history', { shortId, limit: 100 });
    expect(history[0].after.ticketData).toBeNull();
    expect(history[version]).toMatchObject({ before: { ticketData: null }, after: { ticketData: '"second"' } });
    expect(JSON.stringify(history)).not.toContain('first');
  });

  test('an erasure while the history moves to documents of its own leaves nothing behind', async () => {
    const person = snowflake();
    const tickets = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const { ticket } = await ok('tickets.create', { ...newTicket(), ticketOwner: person });
        const shortId = ticket.ticketShortId;
        for (let round = 0; round < 49; round += 1) await ok('tickets.update', { shortId, labels: [String(round)] });
        return shortId;
      }),
    );
    await Promise.all([
      ok('users.erase', { discordId: person }),
      ...tickets.map((shortId) => ok('tickets.update', { shortId, labels: ['last'] })),
    ]);
    expect(await documentsWith(person)).toEqual([]);
  });

  test('a key of some guilds erases within them only', async () => {
    const [here, there, person] = [snowflake(), snowflake(), snowflake()];
    const make = async (guildId: string) =>
      (await ok('tickets.create', { ...newTicket(), guildId, claimedBy: person })).ticket.ticketShortId;
    const [mine, theirs] = [await make(here), await make(there)];
    await ok('blocks.create', { guildId: there, discordId: person });
    const key = await issueKey('admin', { guildIds: [here] });
    expect(await ok('users.erase', { discordId: person }, key)).toMatchObject({ done: true, tickets: 1 });
    expect((await ok('tickets.get', { shortId: mine })).claimedBy).not.toBe(person);
    expect((await ok('tickets.get', { shortId: theirs })).claimedBy).toBe(person);
    expect(await ok('users.exists', { discordId: person })).toEqual({ exists: true });
    expect(await Block.countDocuments({ discordId: person })).toBe(1);
    await refused('insufficient_scope', 'users.erase', { discordId: person }, await issueKey('write'));
  });

  test('a note or an entry of a ticket that is deleted meanwhile does not stay behind', async () => {
    const tickets = await Promise.all(Array.from({ length: 20 }, () => ok('tickets.create', newTicket())));
    const ids = tickets.map(({ ticket }) => ticket.ticketId as string);
    await Promise.all(
      tickets.flatMap(({ ticket: { ticketShortId: shortId } }) => [
        ...[1, 2, 3].map(() => ok('tickets.addNote', { shortId, authorId: snowflake(), text: 'hm' }).catch(() => {})),
        ok('tickets.delete', { shortId }),
      ]),
    );
    expect(await Note.countDocuments({ ticketId: trusted({ $in: ids }) })).toBe(0);
    expect(await ArchivedHistory.countDocuments({ ticketId: trusted({ $in: ids }) })).toBe(0);
    expect(await Ticket.countDocuments({ _id: trusted({ $in: ids }) })).toBe(0);
  });
});
