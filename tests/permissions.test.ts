import { randomUUID } from 'node:crypto';
import type { ErrorType } from '@counterfoil/shared/errors';
import { covers, type Scope, scopes } from '@counterfoil/shared/keys';
import { Key } from 'counterfoil/keys/model';
import { makeKey } from 'counterfoil/keys/secret';
import type { AppRouter } from 'counterfoil/router';
import { Ticket } from 'counterfoil/tickets/model';
import { expect, test } from 'vitest';
import { contract, newTicket } from './contract.ts';
import { issueKey, snowflake } from './harness.ts';

type Resources = AppRouter['_def']['record'];
type Procedure = { [R in keyof Resources & string]: `${R}.${keyof Resources[R] & string}` }[keyof Resources & string];

/** What a call may name: a ticket of a guild, and a ticket type, a key and a person there. */
interface Place {
  guildId: string;
  shortId: string;
  ticketName: string;
  owner: string;
  keyId: string;
}

interface Row {
  /** The narrowest key that may call it. */
  scope: Scope;
  /** What a key of another guild is told, if its scope would do: an error, or a success that shows and changes nothing here. */
  elsewhere: ErrorType | 'nothing';
  input(place: Place): object;
  /** How the ticket is before the call. */
  ticket?: object;
}

const channelId = snowflake();
const claimer = snowflake();
const ticketType = 'support';
const byShortId = ({ shortId }: Place) => ({ shortId });
const byPerson = ({ shortId }: Place) => ({ shortId, discordId: claimer });
const type = ({ guildId }: Place) => ({ guildId, ticketType });
const command = { scope: 'write', elsewhere: 'ticket_not_found' } as const;
const read = { scope: 'read', elsewhere: 'ticket_not_found' } as const;
const inGuild = { elsewhere: 'guild_not_allowed' } as const;

/** The decision on every procedure, by hand: one that is missing here does not compile. */
const decisions: Record<Procedure, Row | Row[]> = {
  'tickets.create': {
    scope: 'write',
    ...inGuild,
    input: ({ guildId, owner }) => ({ ticketType, guildId, ticketOwner: owner }),
  },
  'tickets.close': { ...command, input: byShortId },
  'tickets.claim': { ...command, input: byPerson },
  'tickets.unclaim': { ...command, input: byShortId, ticket: { claimedBy: claimer } },
  'tickets.transfer': { ...command, input: byPerson, ticket: { claimedBy: snowflake() } },
  'tickets.reopen': { ...command, input: byShortId, ticket: { closed: true } },
  'tickets.update': { ...command, input: ({ shortId }) => ({ shortId, priority: 'high' }) },
  'tickets.addParticipant': { ...command, input: byPerson },
  'tickets.removeParticipant': { ...command, input: byPerson },
  'tickets.rate': {
    ...command,
    input: ({ shortId, owner }) => ({ shortId, discordId: owner, rating: 5 }),
    ticket: { closed: true },
  },
  'tickets.addNote': { ...command, input: ({ shortId }) => ({ shortId, authorId: claimer, text: 'hm' }) },
  'tickets.delete': { scope: 'admin', elsewhere: 'nothing', input: byShortId },
  'tickets.get': { ...read, input: byShortId },
  'tickets.isClaimed': { ...read, input: byShortId },
  'tickets.getClaimer': { ...read, input: byShortId, ticket: { claimedBy: claimer } },
  'tickets.isClaimer': { ...read, input: ({ shortId }) => ({ shortId, userId: claimer }) },
  'tickets.notes': { ...read, input: byShortId },
  'tickets.history': { ...read, input: byShortId },
  'tickets.getByName': [
    { ...read, input: ({ ticketName }) => ({ ticketName }) },
    { scope: 'read', ...inGuild, input: ({ ticketName, guildId }) => ({ ticketName, guildId }) },
  ],
  'tickets.list': [
    { scope: 'read', elsewhere: 'nothing', input: () => ({}) },
    { scope: 'read', elsewhere: 'nothing', input: ({ owner }) => ({ ticketOwner: owner, sort: 'updated' }) },
    { scope: 'read', ...inGuild, input: ({ guildId }) => ({ guildId }) },
    { scope: 'read', ...inGuild, input: ({ guildId }) => ({ guildId, q: 'support' }) },
  ],
  'tickets.count': [
    { scope: 'read', elsewhere: 'nothing', input: ({ owner }) => ({ ticketOwner: owner }) },
    { scope: 'read', ...inGuild, input: ({ guildId }) => ({ guildId }) },
  ],
  'tickets.eligibility': { scope: 'read', ...inGuild, input: (place) => ({ ...type(place), discordId: place.owner }) },
  'channels.create': { scope: 'write', ...inGuild, input: (place) => ({ ...type(place), channelId }) },
  'channels.update': { scope: 'write', ...inGuild, input: (place) => ({ ...type(place), maxOpenPerOwner: 5 }) },
  'channels.delete': { scope: 'write', ...inGuild, input: type },
  'channels.get': { scope: 'read', ...inGuild, input: type },
  'channels.list': { scope: 'read', ...inGuild, input: ({ guildId }) => ({ guildId }) },
  'blocks.create': { scope: 'write', ...inGuild, input: ({ guildId }) => ({ guildId, discordId: claimer }) },
  'blocks.list': { scope: 'read', ...inGuild, input: ({ guildId }) => ({ guildId }) },
  'blocks.delete': { scope: 'write', ...inGuild, input: ({ guildId }) => ({ guildId, discordId: claimer }) },
  // Users are global: what is known of them is a pair of ids and a name.
  'users.create': { scope: 'write', elsewhere: 'nothing', input: () => ({ userDiscordId: claimer }) },
  'users.getByDiscordId': { scope: 'read', elsewhere: 'nothing', input: () => ({ discordId: claimer }) },
  'users.get': { scope: 'read', elsewhere: 'user_not_found', input: () => ({ userId: randomUUID() }) },
  'users.exists': { scope: 'read', elsewhere: 'nothing', input: () => ({ discordId: claimer }) },
  'users.erase': { scope: 'admin', elsewhere: 'nothing', input: ({ owner }) => ({ discordId: owner }) },
  'guilds.erase': { scope: 'admin', ...inGuild, input: ({ guildId }) => ({ guildId }) },
  'keys.create': {
    scope: 'admin',
    ...inGuild,
    input: ({ guildId }) => ({ name: 'x', scope: 'read', guildIds: [guildId] }),
  },
  'keys.list': { scope: 'admin', elsewhere: 'nothing', input: () => ({}) },
  'keys.rotate': { scope: 'admin', elsewhere: 'key_not_found', input: ({ keyId }) => ({ keyId }) },
  'keys.revoke': { scope: 'admin', elsewhere: 'key_not_found', input: ({ keyId }) => ({ keyId }) },
  'audit.list': [
    { scope: 'admin', elsewhere: 'nothing', input: () => ({}) },
    { scope: 'admin', ...inGuild, input: ({ guildId }) => ({ guildId }) },
  ],
};

/** Where what is asked for is there for nobody, a success elsewhere is this. */
const absentForAll: Partial<Record<Procedure, ErrorType>> = { 'users.get': 'user_not_found' };

contract('permissions', ({ call, ok }) => {
  test('each procedure does for each kind of key what was decided for it, and nothing else', async () => {
    const [here, there] = [snowflake(), snowflake()];
    await ok('users.create', { userDiscordId: claimer });
    const wrong = makeKey().key;
    const useless: [string, string | null, ErrorType][] = [
      ['no key', null, 'missing_key'],
      ['a malformed key', 'cfl_x', 'invalid_key'],
      ['a key with a wrong checksum', `${wrong.slice(0, -1)}${wrong.endsWith('a') ? 'b' : 'a'}`, 'invalid_key'],
      ['an unknown key', wrong, 'invalid_key'],
      ['a revoked key', await issueKey('admin', { revokedAt: new Date() }), 'invalid_key'],
      ['an expired key', await issueKey('admin', { expiresAt: new Date(Date.now() - 1) }), 'invalid_key'],
    ];
    const useful = await Promise.all(
      scopes.flatMap((scope) =>
        ([null, [here], [here, there], [there]] as const).map(async (guildIds) => ({
          scope,
          sees: guildIds === null || guildIds.some((guildId) => guildId === here),
          key: await issueKey(scope, { guildIds: guildIds && [...guildIds] }),
          what: `a ${scope} key of ${guildIds?.length ?? 'all'} guilds`,
        })),
      ),
    );

    let cells = 0;
    const surprises: object[] = [];

    async function prepare(row: Row): Promise<Place> {
      const [{ ticket }, bystander] = await Promise.all([
        ok('tickets.create', { ...newTicket(), guildId: here, ...row.ticket }),
        issueKey('read', { guildIds: [here] }),
        ok('channels.create', { guildId: here, ticketType, channelId }),
      ]);
      const keyId = bystander.slice(4, 12);
      const { ticketShortId: shortId, ticketName, ticketOwner: owner } = ticket;
      return { guildId: here, shortId, ticketName, owner, keyId };
    }

    /** What a call must not have changed, where it was refused or shows nothing. */
    const stateOf = async ({ shortId, keyId }: Place) => [
      await Ticket.findOne({ shortId }).lean(),
      await Key.findById(keyId).lean(),
    ];

    async function check(
      name: Procedure,
      row: Row,
      what: string,
      key: string | null,
      expected: ErrorType | 'success' | 'nothing',
    ) {
      const place = await prepare(row);
      const before = await stateOf(place);
      const { error, data, status } = await call(name, row.input(place), key);
      const got = error?.type ?? 'success';
      const shown = JSON.stringify(data ?? {});
      const isShown = shown.includes(here) || shown.includes(place.shortId) || shown.includes(place.owner);
      const isCounted = name === 'tickets.count' && data?.count > 0;
      const unchanged = JSON.stringify(await stateOf(place)) === JSON.stringify(before);
      const quiet = expected === 'success' || (unchanged && !isShown && !isCounted);
      cells += 1;
      if (got !== (expected === 'nothing' ? 'success' : expected) || !quiet) {
        surprises.push({ name, what, expected, got, status, unchanged, isShown });
      }
    }

    for (const [path, rows] of Object.entries(decisions)) {
      const name = path as Procedure;
      for (const row of Array.isArray(rows) ? rows : [rows]) {
        for (const [what, key, type] of useless) await check(name, row, what, key, type);
        for (const { scope, sees, key, what } of useful) {
          const allowed = sees ? (absentForAll[name] ?? 'success') : row.elsewhere;
          await check(name, row, what, key, covers(scope, row.scope) ? allowed : 'insufficient_scope');
        }
      }
    }
    console.log(`${cells} cells, ${surprises.length} surprises`);
    expect(surprises).toEqual([]);
  });
});
