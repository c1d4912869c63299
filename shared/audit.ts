import { z } from 'zod';
import { exampleCursor, NextCursor, PageQuery } from './pages.ts';
import { example, GuildId, Timestamp, Uuid } from './primitives.ts';

/** The procedures whose changes are kept: those of keys and of ticket types. */
const actions = [
  'keys.create',
  'keys.rotate',
  'keys.revoke',
  'channels.create',
  'channels.update',
  'channels.delete',
] as const;
export type AuditAction = (typeof actions)[number];

const exampleEntry = {
  entryId: '0f2d7c86-1b3a-4c5e-9d70-8e6a5f4b3c21',
  at: example.createdAt,
  keyId: 'XS2YfX3r',
  requestId: '2c1d4e8a-7b36-4f05-9e2d-8a6b5c4d3e2f',
  action: 'channels.update' as const,
  target: 'support',
  guildIds: [example.guildId],
  before: { maxOpenPerOwner: null },
  after: { maxOpenPerOwner: 1 },
};

const Fields = z.record(z.string(), z.unknown()).nullable();

/** One change of a key or of a ticket type. */
export const AuditEntry = z
  .object({
    entryId: Uuid,
    at: Timestamp,
    keyId: z.string().meta({ description: 'The key that made the change; `cli` for the command line.' }),
    requestId: z.string().meta({ description: 'The X-Request-Id of the request.' }),
    action: z.enum(actions),
    target: z.string().meta({ description: 'The key id, or the ticket type.' }),
    guildIds: z.array(GuildId).nullable().meta({ description: 'The guilds that it concerns; null for all.' }),
    before: Fields.meta({ description: 'The fields that changed, as they were; null for what was not there.' }),
    after: Fields.meta({ description: 'The fields that changed, as they became; null for what was deleted.' }),
  })
  .meta({ id: 'AuditEntry', description: 'One change of a key or of a ticket type.', examples: [exampleEntry] });
export type AuditEntry = z.output<typeof AuditEntry>;

export const ListAudit = z.strictObject({
  guildId: GuildId.optional().meta({ description: 'Only what concerns this guild by name.' }),
  ...PageQuery,
});
export const AuditList = z
  .object({ audit: z.array(AuditEntry), nextCursor: NextCursor })
  .meta({ examples: [{ audit: [exampleEntry], nextCursor: exampleCursor }] });
