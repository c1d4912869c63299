import { randomUUID } from 'node:crypto';
import { toDomainError } from 'counterfoil/errors';
import { commandLine } from 'counterfoil/keys/authenticate';
import { findPage, rarestFirst } from 'counterfoil/tickets/list';
import { Ticket } from 'counterfoil/tickets/model';
import { expect, test } from 'vitest';
import { type Contract, contract, newTicket } from './contract.ts';
import { issueKey, shortId, snowflake } from './harness.ts';

/** Every page of a list, one after the other. */
async function allPages(ok: Contract['ok'], query: object): Promise<{ ticketId: string }[]> {
  const seen: { ticketId: string }[] = [];
  let cursor: string | undefined;
  do {
    const page = await ok('tickets.list', { ...query, ...(cursor && { cursor }) });
    seen.push(...page.tickets);
    cursor = page.nextCursor ?? undefined;
  } while (cursor);
  return seen;
}

contract('lists', ({ ok, refused, createTicket }) => {
  test('tickets come newest first, by pages, each once', async () => {
    const guildId = snowflake();
    const made: string[] = [];
    for (let place = 0; place < 7; place += 1) made.unshift((await createTicket({ guildId })).ticketId);
    const first = await ok('tickets.list', { guildId, limit: 3 });
    expect(first.tickets).toHaveLength(3);
    expect(first.nextCursor).toEqual(expect.any(String));
    const ids = async (query: object) => (await allPages(ok, { guildId, ...query })).map(({ ticketId }) => ticketId);
    expect(await ids({ limit: 3 })).toEqual(made);
    expect(await ids({ limit: 7 })).toEqual(made);
    expect(await ids({ sort: 'oldest', limit: 2 })).toEqual(made.toReversed());
    const { ticketShortId: shortId, ticketId } = await createTicket({ guildId });
    await createTicket({ guildId });
    await ok('tickets.close', { shortId });
    expect((await ids({ sort: 'updated' }))[0]).toBe(ticketId);
    expect(await ok('tickets.list', { guildId: snowflake() })).toEqual({ tickets: [], nextCursor: null });
  });

  test('each filter finds what matches, alone and together, and the count agrees', async () => {
    const guildId = snowflake();
    const [owner, claimedBy, channelId] = [snowflake(), snowflake(), snowflake()];
    const special = await createTicket({ guildId, ticketOwner: owner, claimedBy, channelId, ticketType: 'bug' });
    await ok('tickets.update', { shortId: special.ticketShortId, labels: ['a', 'vip'], priority: 'high' });
    await ok('tickets.close', { shortId: special.ticketShortId });
    const plain = await createTicket({ guildId });
    const cases: [object, string[]][] = [
      [{}, [plain.ticketId, special.ticketId]],
      [{ ticketType: 'bug' }, [special.ticketId]],
      [{ status: 'closed' }, [special.ticketId]],
      [{ status: 'open' }, [plain.ticketId]],
      [{ ticketOwner: owner }, [special.ticketId]],
      [{ claimedBy }, [special.ticketId]],
      [{ claimedBy: 'none' }, [plain.ticketId]],
      [{ channelId }, [special.ticketId]],
      [{ label: 'vip' }, [special.ticketId]],
      [{ priority: 'high' }, [special.ticketId]],
      [{ createdAfter: special.createdAt }, [plain.ticketId]],
      [{ createdBefore: plain.createdAt }, [special.ticketId]],
      [{ createdAfter: '2020-01-01T00:00:00+02:00', status: 'closed', label: 'a' }, [special.ticketId]],
      [{ status: 'open', label: 'vip' }, []],
    ];
    for (const [query, expected] of cases) {
      const { tickets } = await ok('tickets.list', { guildId, ...query });
      expect({ query, found: tickets.map(({ ticketId }: { ticketId: string }) => ticketId) }).toEqual({
        query,
        found: expected,
      });
      expect(await ok('tickets.count', { guildId, ...query })).toEqual({ count: expected.length, exact: true });
    }
  });

  test('a key sees the tickets of its guilds only', async () => {
    const [one, two] = [snowflake(), snowflake()];
    const ticketType = `type ${one}`;
    await createTicket({ guildId: one, ticketType });
    const mine = await createTicket({ guildId: two, ticketType });
    expect(await ok('tickets.count', { ticketType })).toEqual({ count: 2, exact: true });
    const key = await issueKey('read', { guildIds: [two] });
    expect((await ok('tickets.list', { ticketType }, key)).tickets).toEqual([mine]);
    expect(await ok('tickets.count', { ticketType }, key)).toEqual({ count: 1, exact: true });
    await refused('guild_not_allowed', 'tickets.list', { guildId: one }, key);
  });

  test('a cursor of another query, cut, altered or forged is refused', async () => {
    const guildId = snowflake();
    for (let place = 0; place < 3; place += 1) await createTicket({ guildId });
    const { nextCursor: cursor } = await ok('tickets.list', { guildId, limit: 1 });
    const [payload, mac] = cursor.split('.');
    const forged = Buffer.from(JSON.stringify([0, ''])).toString('base64url');
    for (const wrong of [
      { guildId: snowflake(), cursor },
      { guildId, status: 'open', cursor },
      { guildId, sort: 'oldest', cursor },
      { cursor },
      { guildId, cursor: cursor.slice(0, -1) },
      { guildId, cursor: `${forged}.${mac}` },
      { guildId, cursor: `${payload}.${'A'.repeat(22)}` },
      { guildId, cursor: payload },
      { guildId, cursor: '' },
    ]) {
      const error = await refused('validation_failed', 'tickets.list', wrong);
      expect(error?.issues).toMatchObject([{ path: 'cursor' }]);
    }
    // Another size of page is the same query.
    expect((await ok('tickets.list', { guildId, limit: 2, cursor })).tickets).toHaveLength(2);
  });

  test('a search finds the words of name, close reason and data, whatever their case and accents', async () => {
    const guildId = snowflake();
    const ticketData = '{"topic":"Réfund of order 1042","more":[{"text":"Straße"}],"paid":"-maybe","count":77}';
    const found = await createTicket({ guildId, ticketName: 'help-robin', ticketData });
    const other = await createTicket({ guildId, ticketName: 'other', ticketData: '"refund 我要退款"' });
    const { ticketShortId: shortId } = found;
    const search = async (q: string, more = {}) => {
      const { tickets, truncated } = await ok('tickets.list', { guildId, q, ...more });
      expect(truncated).toBe(false);
      const ids = tickets.map(({ ticketId }: { ticketId: string }) => ticketId);
      if (!('sort' in more)) {
        expect(await ok('tickets.count', { guildId, q, ...more })).toEqual({ count: ids.length, exact: true });
      }
      return ids;
    };
    const cases: [string, string[]][] = [
      ['refund', [other.ticketId, found.ticketId]],
      ['REFUND order', [found.ticketId]],
      ['ＲÉFUND 1042 straße', [found.ticketId]],
      ['refund -maybe', [found.ticketId]],
      ['"robin"', [found.ticketId]],
      ['ref', []],
      ['topic', []],
      ['77', []],
      ['我要退款', [other.ticketId]],
      ['refund nothing', []],
    ];
    for (const [q, expected] of cases) expect({ q, ids: await search(q) }).toEqual({ q, ids: expected });
    await ok('tickets.close', { shortId, reason: 'Answered by mail' });
    expect(await search('mail refund')).toEqual([found.ticketId]);
    expect(await search('refund', { status: 'open' })).toEqual([other.ticketId]);
    expect(await search('refund', { sort: 'updated' })).toEqual([found.ticketId, other.ticketId]);
    await ok('tickets.reopen', { shortId });
    expect(await search('mail')).toEqual([]);
    await ok('tickets.update', { shortId, ticketData: null, ticketName: 'renamed' });
    expect(await search('refund')).toEqual([other.ticketId]);
    expect([await search('robin'), await search('renamed')]).toEqual([[], [found.ticketId]]);
  });

  test('a search looks at the newest 1,000 matches, and says so', async () => {
    const guildId = snowflake();
    const first = await createTicket({ guildId, ticketName: 'rare word', ticketOwner: snowflake() });
    const model = await Ticket.findById(first.ticketId).lean();
    const copies = Array.from({ length: 1000 }, (_, place) => ({
      ...model,
      _id: randomUUID(),
      shortId: randomUUID(),
      ticketName: `word ${place}`,
      searchWords: ['word', String(place)],
      ticketOwner: guildId,
      createdAt: new Date(Date.now() + Math.floor(place / 3)),
    }));
    await Ticket.insertMany(copies.slice(0, 999));
    expect((await ok('tickets.list', { guildId, q: 'word' })).truncated).toBe(false);
    await Ticket.insertMany(copies.slice(999));
    for (const sort of ['newest', 'oldest']) {
      const pages = await allPages(ok, { guildId, q: 'word', sort, limit: 99 });
      expect(pages.map(({ ticketId }) => ticketId).toSorted()).toEqual(copies.map(({ _id }) => _id).toSorted());
    }
    expect(await ok('tickets.count', { guildId, q: 'word' })).toEqual({ count: 1000, exact: false });
    expect(await ok('tickets.list', { guildId, q: 'word', ticketOwner: first.ticketOwner })).toEqual({
      tickets: [],
      nextCursor: null,
      truncated: true,
    });
    expect((await ok('tickets.list', { guildId, q: 'word rare' })).tickets).toHaveLength(1);
    const search = await rarestFirst({ guildId, q: 'word rare', sort: 'newest' as const });
    const plan = await findPage(commandLine, search, 26).explain('executionStats');
    expect(executionStats(plan)).toMatchObject({ nReturned: 1, totalKeysExamined: 1, totalDocsExamined: 1 });
    for (const wrong of [
      { q: 'word' },
      { guildId, q: '…!' },
      { guildId, q: '' },
      { guildId, q: 'a b c d e f g h i j k' },
      { guildId, q: 'x'.repeat(201) },
    ]) {
      const error = await refused('validation_failed', 'tickets.list', wrong);
      const paths = new Set(error?.issues?.map(({ path }) => path));
      expect([...paths]).toEqual(['guildId' in wrong ? 'q' : 'guildId']);
    }
  });

  test('wrong filters are refused by name', async () => {
    for (const [field, value] of [
      ['limit', 0],
      ['limit', 101],
      ['limit', 1.5],
      ['limit', 'x'],
      ['status', 'ajar'],
      ['sort', 'name'],
      ['guildId', '5'],
      ['claimedBy', 'nobody'],
      ['createdAfter', 'yesterday'],
      ['createdAfter', '2026-11-23'],
      ['page', 2],
    ] as const) {
      const error = await refused('validation_failed', 'tickets.list', { [field]: value });
      expect(error?.issues?.map(({ path }) => path)).toEqual([field]);
    }
  });

  test('a search that takes the database too long is 503', async () => {
    await createTicket();
    const slow = Ticket.collection.find({ $where: 'sleep(1000) || true' }).maxTimeMS(10).limit(1);
    const error = await slow.toArray().catch((thrown: unknown) => thrown);
    expect(toDomainError(error, 'query')).toMatchObject({ type: 'database_unavailable', status: 503 });
  });
});

/** Puts 10,000 tickets into a guild as the service stores them, 30 of each millisecond: open, claimed and closed ones. */
async function fillGuild({ ok, createTicket }: Contract, guildId: string) {
  const kinds = [await createTicket({ guildId }), await createTicket({ guildId }), await createTicket({ guildId })];
  await ok('tickets.claim', { shortId: kinds[1].ticketShortId, discordId: snowflake() });
  await ok('tickets.close', { shortId: kinds[2].ticketShortId });
  const models = await Ticket.collection.find({ guildId }).sort({ version: 1, closed: 1 }).toArray();
  const firstAt = Date.now() - 60_000;
  const tickets = Array.from({ length: 10_000 - models.length }, (_, place) => ({
    ...models[place % 10 < 8 ? 0 : (place % 10) - 7],
    _id: randomUUID(),
    shortId: shortId(),
    ticketName: `ticket-${place}`,
    createdAt: new Date(firstAt + Math.floor(place / 30)),
  }));
  // By the driver: nothing of ten thousand documents needs a check.
  await Ticket.collection.insertMany(tickets as object[]);
  return Ticket.find({ guildId }, { shortId: 1, closed: 1, claimedBy: 1 }).lean();
}

contract('paging through 10,000 tickets', (contract) => {
  test('sees each that is there throughout exactly once, while others create, claim and close', async () => {
    const { ok, createTicket } = contract;
    const guildId = snowflake();
    const there = await fillGuild(contract, guildId);
    expect(there).toHaveLength(10_000);
    const unclaimed = there.filter(({ closed, claimedBy }) => !closed && claimedBy === null);
    const [toClaim, toClose] = [unclaimed.slice(0, 3000), unclaimed.slice(3000, 6000)];
    const closed = new Set(there.filter((ticket) => ticket.closed).map(({ _id }) => _id));
    let isPaging = true;
    const others = [
      () => createTicket({ guildId }),
      () => ok('tickets.claim', { shortId: toClaim.pop()?.shortId, discordId: snowflake() }),
      async () => {
        const ticket = toClose.pop();
        closed.add(ticket?._id ?? '');
        await ok('tickets.close', { shortId: ticket?.shortId });
      },
    ].map(async (change) => {
      let changes = 0;
      for (; isPaging; changes += 1) await change();
      return changes;
    });
    try {
      for (const filter of [{}, { status: 'open' }]) {
        for (const sort of ['newest', 'oldest']) {
          const pages = await allPages(ok, { guildId, sort, ...filter, limit: 100 });
          const seen = pages.map(({ ticketId }) => ticketId);
          const expected = there.map(({ _id }) => _id).filter((id) => !('status' in filter && closed.has(id)));
          const expectedOnes = new Set(expected);
          expect({ filter, sort, twice: seen.length - new Set(seen).size }).toEqual({ filter, sort, twice: 0 });
          expect(seen.filter((id) => expectedOnes.has(id)).toSorted()).toEqual(expected.toSorted());
        }
      }
    } finally {
      isPaging = false;
      await Promise.all(others);
    }
    for (const changes of await Promise.all(others)) expect(changes).toBeGreaterThan(10);
  }, 600_000);
});

contract('the indexes of lists', ({ ok }) => {
  test('examine about one key a result, for a guild alone and with each indexed filter', async () => {
    const guildId = snowflake();
    const [ticketOwner, claimedBy, channelId] = [snowflake(), snowflake(), snowflake()];
    const { ticketId: _i, ticketShortId: _s, ...plain } = newTicket();
    const rows = Array.from({ length: 300 }, (_, place) => ({
      ...plain,
      guildId,
      ticketType: place % 3 === 0 ? 'bug' : 'support',
      ...(place % 3 === 1 && { ticketOwner, claimedBy, channelId }),
    }));
    for (const row of rows) await ok('tickets.create', row);
    await Ticket.updateMany({ guildId, ticketType: 'bug' }, { labels: ['vip', 'x'] });
    const key = { ...commandLine, keyId: 'test' };
    const sorts = ['newest', 'oldest', 'updated'] as const;
    for (const filter of [
      {},
      { status: 'open' },
      { ticketType: 'bug' },
      { ticketOwner },
      { claimedBy },
      { claimedBy: 'none' },
      { channelId },
      { label: 'vip' },
      { q: 'Support' },
    ] as const) {
      for (const sort of sorts.filter((sort) => !('q' in filter && sort === 'updated'))) {
        const plan = await findPage(key, { guildId, ...filter, sort }, 26).explain('executionStats');
        const { nReturned, totalKeysExamined, totalDocsExamined } = executionStats(plan);
        expect({ filter, sort, nReturned, totalDocsExamined }).toEqual({
          filter,
          sort,
          nReturned: 26,
          totalDocsExamined: 26,
        });
        expect({ filter, sort, few: totalKeysExamined <= 28 }).toEqual({ filter, sort, few: true });
      }
    }
  });
});

function executionStats(plan: unknown) {
  return (plan as { executionStats: Record<'nReturned' | 'totalKeysExamined' | 'totalDocsExamined', number> })
    .executionStats;
}
