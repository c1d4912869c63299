import { randomUUID } from 'node:crypto';
import { ArchivedHistory } from 'counterfoil/tickets/history';
import { Ticket } from 'counterfoil/tickets/model';
import { expect, test } from 'vitest';
import { contract, newTicket } from './contract.ts';
import { issueKey, snowflake } from './harness.ts';

contract('the lifecycle', ({ ok, refused, createTicket }) => {
  test('unclaim gives a ticket back, and only the claimer can where a name is given', async () => {
    const claimedBy = snowflake();
    const { ticketShortId: shortId } = await createTicket({ claimedBy });
    await refused('not_the_claimer', 'tickets.unclaim', { shortId, discordId: snowflake() });
    const { changed, ticket } = await ok('tickets.unclaim', { shortId, discordId: claimedBy });
    expect(changed).toBe(true);
    expect(ticket).toMatchObject({ claimed: false, claimedBy: null, claimedAt: null, version: 2 });
    expect(await ok('tickets.unclaim', { shortId })).toEqual({ changed: false, ticket });
    expect(await ok('tickets.isClaimed', { shortId })).toEqual({ claimed: false, claimer: null, claimedAt: null });
    await ok('tickets.claim', { shortId, discordId: claimedBy });
    expect(await ok('tickets.unclaim', { shortId })).toMatchObject({ changed: true });
    const closed = await createTicket({ claimedBy, closed: true });
    await refused('ticket_closed', 'tickets.unclaim', { shortId: closed.ticketShortId });
  });

  test('transfer names another claimer in one step', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const discordId = snowflake();
    await refused('ticket_not_claimed', 'tickets.transfer', { shortId, discordId });
    await ok('tickets.claim', { shortId, discordId: snowflake() });
    const { changed, ticket } = await ok('tickets.transfer', { shortId, discordId });
    expect({ changed, ...ticket }).toMatchObject({ changed: true, claimedBy: discordId, claimedAt: ticket.updatedAt });
    const { userId } = await ok('users.getByDiscordId', { discordId });
    expect(await ok('tickets.isClaimer', { shortId, userId })).toEqual({ isClaimer: true });
    expect(await ok('tickets.transfer', { shortId, discordId })).toEqual({ changed: false, ticket });
    await ok('tickets.close', { shortId });
    await refused('ticket_closed', 'tickets.transfer', { shortId, discordId: snowflake() });
  });

  test('reopen keeps the claim, counts, and needs the name', async () => {
    const claimedBy = snowflake();
    const first = await createTicket({ claimedBy, ticketName: 'mine' });
    const { ticketShortId: shortId, guildId } = first;
    expect(await ok('tickets.reopen', { shortId })).toEqual({ changed: false, ticket: first });
    await ok('tickets.close', { shortId, closedBy: snowflake(), reason: 'done' });
    const { ticket } = await ok('tickets.reopen', { shortId });
    expect(ticket).toMatchObject({ status: 'open', closed: false, closedBy: null, closeReason: null, closedAt: null });
    expect(ticket).toMatchObject({ claimedBy, reopenCount: 1, version: 3 });
    await ok('tickets.close', { shortId });
    const other = await createTicket({ guildId, ticketName: 'mine' });
    await refused('name_taken', 'tickets.reopen', { shortId });
    await ok('tickets.close', { shortId: other.ticketShortId });
    expect((await ok('tickets.reopen', { shortId })).ticket).toMatchObject({ reopenCount: 2 });
  });

  test('update changes what is given, null clears, and what holds already changes nothing', async () => {
    const { ticketShortId: shortId, guildId } = await createTicket();
    const fields = {
      ticketName: 'renamed',
      ticketType: 'billing',
      ticketOwner: snowflake(),
      ticketData: '{"$a": 1}',
      channelId: snowflake(),
      priority: 'urgent',
      labels: ['$vip', 'b'],
    };
    const { changed, ticket } = await ok('tickets.update', { shortId, ...fields });
    expect({ changed, ...ticket }).toMatchObject({ changed: true, ...fields, version: 2 });
    expect(await ok('tickets.update', { shortId, ...fields })).toEqual({ changed: false, ticket });
    const cleared = await ok('tickets.update', { shortId, ticketData: null, channelId: null, labels: null });
    expect(cleared.ticket).toMatchObject({ ticketData: null, channelId: null, labels: [], priority: 'urgent' });
    await createTicket({ guildId, ticketName: 'taken' });
    await refused('name_taken', 'tickets.update', { shortId, ticketName: 'taken' });
  });

  test('update refuses nothing, wrong values and unknown fields by name', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const wrong: [object, string][] = [
      [{}, ''],
      [{ expectedVersion: 1 }, ''],
      [{ priority: 'highest' }, 'priority'],
      [{ priority: null }, 'priority'],
      [{ labels: ['a', 'a'] }, 'labels'],
      [{ labels: Array.from({ length: 26 }, String) }, 'labels'],
      [{ labels: [''] }, 'labels.0'],
      [{ labels: 'a' }, 'labels'],
      [{ ticketName: null }, 'ticketName'],
      [{ ticketOwner: null }, 'ticketOwner'],
      [{ ticketData: '{' }, 'ticketData'],
      [{ closed: true }, 'closed'],
      [{ claimedBy: snowflake() }, 'claimedBy'],
    ];
    for (const [fields, path] of wrong) {
      const error = await refused('validation_failed', 'tickets.update', { shortId, ...fields });
      expect(error?.issues?.map((issue) => issue.path)).toContain(path);
    }
  });

  test('a closed ticket lets only some fields change', async () => {
    const { ticketShortId: shortId } = await createTicket({ closed: true });
    for (const fields of [{ ticketName: 'x' }, { ticketType: 'x' }, { ticketOwner: snowflake() }]) {
      await refused('ticket_closed', 'tickets.update', { shortId, ...fields });
      await refused('ticket_closed', 'tickets.update', { shortId, ...fields, priority: 'low' });
    }
    const fields = { ticketData: '{}', labels: ['a'], priority: 'low', channelId: snowflake() };
    expect((await ok('tickets.update', { shortId, ...fields })).ticket).toMatchObject(fields);
    await refused('ticket_closed', 'tickets.addParticipant', { shortId, discordId: snowflake() });
    expect(await ok('tickets.removeParticipant', { shortId, discordId: snowflake() })).toMatchObject({
      changed: false,
    });
  });

  test('participants are added and removed once each, at most 100', async () => {
    const { ticketShortId: shortId, ticketId } = await createTicket();
    const people = Array.from({ length: 100 }, snowflake);
    const [first = '', second = ''] = people;
    expect((await ok('tickets.addParticipant', { shortId, discordId: first })).ticket.participants).toEqual([first]);
    expect(await ok('tickets.addParticipant', { shortId, discordId: first })).toMatchObject({ changed: false });
    await ok('tickets.addParticipant', { shortId, discordId: second });
    expect((await ok('tickets.removeParticipant', { shortId, discordId: first })).ticket.participants).toEqual([
      second,
    ]);
    expect(await ok('tickets.removeParticipant', { shortId, discordId: first })).toMatchObject({ changed: false });
    await Ticket.updateOne({ _id: ticketId }, { participants: people });
    const error = await refused('validation_failed', 'tickets.addParticipant', { shortId, discordId: snowflake() });
    expect(error?.issues).toMatchObject([{ path: 'discordId' }]);
    expect(await ok('tickets.addParticipant', { shortId, discordId: first })).toMatchObject({ changed: false });
  });

  test('the owner rates a closed ticket, and may rate it anew', async () => {
    const discordId = snowflake();
    const { ticketShortId: shortId } = await createTicket({ ticketOwner: discordId });
    await refused('ticket_not_closed', 'tickets.rate', { shortId, discordId, rating: 5 });
    await ok('tickets.close', { shortId });
    await refused('not_the_owner', 'tickets.rate', { shortId, discordId: snowflake(), rating: 5 });
    const { ticket } = await ok('tickets.rate', { shortId, discordId, rating: 5, comment: 'good\n$work' });
    expect(ticket.rating).toEqual({ rating: 5, comment: 'good\n$work', at: ticket.updatedAt });
    expect(await ok('tickets.rate', { shortId, discordId, rating: 5, comment: 'good\n$work' })).toMatchObject({
      changed: false,
    });
    const anew = await ok('tickets.rate', { shortId, discordId, rating: 1 });
    expect(anew.ticket.rating).toMatchObject({ rating: 1, comment: null });
    for (const rating of [0, 6, 2.5, '5', null]) {
      const error = await refused('validation_failed', 'tickets.rate', { shortId, discordId, rating });
      expect(error?.issues).toMatchObject([{ path: 'rating' }]);
    }
  });

  test('notes are kept beside the ticket, oldest first, once for a noteId', async () => {
    const { ticketShortId: shortId } = await createTicket();
    const note = { shortId, authorId: snowflake(), text: 'hm\n…', noteId: randomUUID() };
    const added = await ok('tickets.addNote', note);
    expect(added).toMatchObject({
      changed: true,
      note: { noteId: note.noteId, authorId: note.authorId, text: note.text },
    });
    expect(await ok('tickets.addNote', note)).toEqual({ ...added, changed: false });
    await refused('note_id_taken', 'tickets.addNote', { ...note, text: 'other' });
    const elsewhere = await createTicket();
    await refused('note_id_taken', 'tickets.addNote', { ...note, shortId: elsewhere.ticketShortId });
    await ok('tickets.close', { shortId });
    const { note: second } = await ok('tickets.addNote', { shortId, authorId: snowflake(), text: 'closed' });
    expect(await ok('tickets.notes', { shortId })).toEqual({ notes: [added.note, second] });
    expect(await ok('tickets.notes', { shortId: elsewhere.ticketShortId })).toEqual({ notes: [] });
    await refused('ticket_not_found', 'tickets.notes', { shortId: 'nowhere' });
  });

  test('the history tells every change and the claim intervals, and replays to the ticket as it is', async () => {
    const key = await issueKey('write');
    const made = { ...newTicket(), claimedBy: snowflake() };
    const { ticketShortId: shortId } = made;
    await ok('tickets.create', made, key);
    const [staff, actorId, commandId] = [snowflake(), snowflake(), randomUUID()];
    await ok('tickets.transfer', { shortId, discordId: staff, actorId, commandId }, key);
    await ok('tickets.update', { shortId, priority: 'high', ticketType: 'support' }, key);
    await ok('tickets.close', { shortId, closedBy: staff, reason: 'done' }, key);
    await ok('tickets.reopen', { shortId }, key);
    await ok('tickets.unclaim', { shortId, discordId: staff }, key);
    const ticket = await ok('tickets.get', { shortId });
    const { history, nextCursor, claimIntervals } = await ok('tickets.history', { shortId });
    expect(nextCursor).toBeNull();
    expect(history.map(({ seq, type }: { seq: number; type: string }) => `${seq} ${type}`)).toEqual([
      '1 create',
      '2 transfer',
      '3 update',
      '4 close',
      '5 reopen',
      '6 unclaim',
    ]);
    expect(history[1]).toMatchObject({ actorId, commandId, keyId: key.slice(4, 12) });
    expect(history[1].before).toMatchObject({ claimedBy: made.claimedBy });
    expect(history[1].after).toMatchObject({ claimedBy: staff });
    expect(history[2]).toMatchObject({ before: { priority: 'normal' }, after: { priority: 'high' } });
    expect(history[2].after).toEqual({ priority: 'high' });
    const replayed = Object.assign({}, ...history.map(({ after }: { after: object }) => after));
    expect(ticket).toMatchObject(replayed);
    expect(claimIntervals).toMatchObject([
      { claimer: made.claimedBy, from: ticket.createdAt, to: history[1].at, endReason: 'transfer' },
      { claimer: staff, from: history[1].at, to: history[3].at, endReason: 'close' },
      { claimer: staff, from: history[4].at, to: history[5].at, endReason: 'unclaim' },
    ]);
  });

  test('older history moves to documents of its own: nothing is dropped, and its commandIds still count', async () => {
    const { ticketShortId: shortId, ticketId } = await createTicket();
    const first = { shortId, priority: 'high', commandId: randomUUID() };
    await ok('tickets.update', first);
    for (let round = 0; round < 60; round += 1) await ok('tickets.update', { shortId, labels: [String(round)] });
    const stored = await Ticket.findById(ticketId).lean();
    expect(stored?.history).toHaveLength(50);
    expect(stored).toMatchObject({ version: 62, archivedTo: 12 });
    expect(await ArchivedHistory.countDocuments({ ticketId })).toBe(12);
    expect(await ok('tickets.update', first)).toMatchObject({ changed: true, ticket: { version: 62 } });
    await refused('command_id_taken', 'tickets.update', { ...first, priority: 'low' });
    await ok('tickets.update', { shortId, priority: 'low', commandId: randomUUID() });
    const seqs: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await ok('tickets.history', { shortId, limit: 7, ...(cursor && { cursor }) });
      seqs.push(...page.history.map(({ seq }: { seq: number }) => seq));
      cursor = page.nextCursor ?? undefined;
    } while (cursor);
    expect(seqs).toEqual(Array.from({ length: 63 }, (_, place) => place + 1));
  });

  test('a death between the copy and the removal of history loses and repeats nothing', async () => {
    const { ticketShortId: shortId, ticketId } = await createTicket();
    for (let round = 0; round < 50; round += 1) await ok('tickets.update', { shortId, labels: [String(round)] });
    const stored = await Ticket.findById(ticketId).lean();
    const [entry] = stored?.history ?? [];
    // The state after the removal was not done: the copy is there, and the entry still in the ticket.
    await Ticket.updateOne(
      { _id: ticketId },
      { archivedTo: 0, history: [await firstEntry(ticketId), ...(stored?.history ?? [])] },
    );
    await ok('tickets.update', { shortId, labels: ['last'] });
    const { history } = await ok('tickets.history', { shortId, limit: 100 });
    expect(history.map(({ seq }: { seq: number }) => seq)).toEqual(Array.from({ length: 52 }, (_, place) => place + 1));
    expect(entry?.seq).toBe(2);
  });
});

async function firstEntry(ticketId: string) {
  const archived = await ArchivedHistory.findOne({ ticketId, 'entry.seq': 1 }).lean();
  return archived?.entry;
}
