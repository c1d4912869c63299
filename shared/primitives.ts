import { z } from 'zod';

/** The error option of a schema: says what is expected, and whether the field is missing or wrong. */
export function expected(what: string) {
  return {
    error: (issue: { input?: unknown }) => (issue.input === undefined ? `Required: ${what}` : `Expected ${what}`),
  };
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

const controlCharacters = /^[^\u0000-\u001f\u007f-\u009f]*$/;
const controlCharactersButTabLfCr = /^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$/;

function text(maximum: number, pattern: RegExp) {
  const what = `a text of 1 to ${maximum} characters`;
  return z
    .string(expected(what))
    .refine((value) => value !== '' && (value.length <= maximum || codePoints(value) <= maximum), {
      error: `Expected ${what}`,
    })
    .regex(pattern, { error: 'Control characters are not allowed' })
    .refine((value) => value.isWellFormed(), { error: 'Lone surrogates are not allowed: send well-formed Unicode' })
    .meta({ minLength: 1, maxLength: maximum });
}

/** A text of 1 to `maximum` Unicode code points on one line: no control characters, no lone surrogates. */
export const lineText = (maximum: number) => text(maximum, controlCharacters);

/** A text of 1 to 4,000 Unicode code points that may hold TAB, LF and CR. */
export const LongText = text(4000, controlCharactersButTabLfCr);

/** As `lineText`, but never `.` or `..`: these cannot stand in a path. */
export const pathText = (maximum: number) =>
  lineText(maximum)
    .refine((value) => value !== '.' && value !== '..', { error: '"." and ".." are not allowed' })
    .meta({ minLength: 1, maxLength: maximum, not: { enum: ['.', '..'] } });

/** The ids and times that the documented examples share. */
export const example = {
  guildId: '112233445566778899',
  ownerId: '223344556677889900',
  claimerId: '334455667788990011',
  channelId: '445566778899001122',
  colleagueId: '667788990011223344',
  userId: '3f0f7c1e-8f5c-4b58-9d0a-2d8f6f3f4a11',
  ticketId: '9b2f4d53-6c1e-4a7d-8f2b-51c0e7d3a9f4',
  noteId: '6d0a1c3e-2b47-4f6e-9c58-7e1f0a9b8d42',
  commandId: 'c4a1d7b2-0e63-4f98-b5aa-6d2e91f07c38',
  shortId: 'k7m2p9xq',
  createdAt: '2026-11-23T12:00:00.000Z',
  claimedAt: '2026-11-23T12:01:30.250Z',
  closedAt: '2026-11-23T12:20:00.000Z',
  later: '2026-12-23T12:00:00.000Z',
} as const;

const discordId = 'a Discord id: a string of 17 to 20 digits';

/** A Discord id ("snowflake"), always a string: a JSON number would lose digits. */
export const Snowflake = z
  .string(expected(discordId))
  .regex(/^[0-9]{17,20}$/, { error: `Expected ${discordId}` })
  .meta({ description: 'A Discord id, as a string of 17 to 20 digits.', examples: [example.claimerId] });

export const GuildId = Snowflake.meta({ description: 'The Discord id of the guild.', examples: [example.guildId] });

const uuid = 'a UUID of version 4';

/** A database id: UUIDv4, any case in, lower case out. */
export const Uuid = z
  .uuid({ version: 'v4', ...expected(uuid) })
  .toLowerCase()
  .meta({ description: 'A UUIDv4.', examples: [example.userId] });

/** A point in time: ISO 8601, UTC, with milliseconds. */
export const Timestamp = z.iso
  .datetime({ precision: 3 })
  .meta({ description: 'ISO 8601, UTC, milliseconds.', examples: [example.createdAt] });

const time = 'a time in ISO 8601 with its offset, such as 2026-11-23T12:00:00Z';

/** A point in time as it comes in: ISO 8601 with any offset, of a year that goes out as it came in. */
export const TimeInput = (description: string) =>
  z.iso
    .datetime({ offset: true, ...expected(time) })
    .refine((text) => !(new Date(text).getUTCFullYear() < 0 || new Date(text).getUTCFullYear() > 9999), {
      error: 'The year must be 0000 to 9999 in UTC',
    })
    .meta({ description, examples: [example.createdAt] })
    .transform((text) => new Date(text));

/** A whole number from `minimum` to `maximum`. */
export function wholeNumber(minimum: number, maximum: number) {
  const what = `a whole number from ${minimum} to ${maximum}`;
  return z
    .int(expected(what))
    .min(minimum, { error: `Expected ${what}` })
    .max(maximum, { error: `Expected ${what}` });
}

export const limits = {
  /** Bytes of a request's body. */
  bodyBytes: 256 * 1024,
  /** Bytes of `ticketData`, as UTF-8. */
  ticketDataBytes: 64 * 1024,
  /** Nested arrays and objects in `ticketData`. */
  ticketDataDepth: 32,
  /** Calls in one tRPC batch. */
  batchCalls: 10,
  participants: 100,
  labels: 25,
  staffRoles: 100,
  maxOpenPerOwner: 1000,
  /** A year, in seconds. */
  cooldownSeconds: 31_536_000,
  /** Matches of a search that are looked at, the newest. */
  searchMatches: 1000,
  searchWords: 10,
  guildsOfKey: 100,
  /** Requests a second that a key may be limited to. */
  rateLimit: 10_000,
  /** A week: how long a secret that was rotated out may stay valid. */
  overlapHours: 168,
} as const;
