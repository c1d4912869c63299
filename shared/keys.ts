import { z } from 'zod';
import { example, expected, GuildId, limits, lineText, TimeInput, Timestamp, wholeNumber } from './primitives.ts';

/** What a key may do: each scope holds those before it. */
export const scopes = ['read', 'write', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** Whether a key of scope `held` may do what needs scope `needed`. */
export function covers(held: Scope, needed: Scope): boolean {
  return scopes.indexOf(held) >= scopes.indexOf(needed);
}

const keyId = 'a key id: the eight characters after cfl_';
const exampleKey = {
  keyId: 'XS2YfX3r',
  name: 'support-bot',
  scope: 'write' as const,
  guildIds: [example.guildId],
  rateLimit: 50,
  createdAt: example.createdAt,
  expiresAt: example.later,
  lastUsedAt: null,
  revokedAt: null,
};
const exampleSecret = `cfl_${exampleKey.keyId}_…`;

const KeyId = z
  .string(expected(keyId))
  .regex(/^[0-9A-Za-z]{8}$/, { error: `Expected ${keyId}` })
  .meta({ description: 'The eight characters after `cfl_`.', examples: [exampleKey.keyId] });
const Scope = z
  .enum(scopes, { error: `Expected one of ${scopes.join(', ')}` })
  .meta({ description: 'What it may do: `write` holds `read`, `admin` holds both.', examples: ['write'] });

/** A key as it is shown: everything but its secret. */
export const Key = z
  .object({
    keyId: KeyId,
    name: z.string(),
    scope: Scope,
    guildIds: z.array(GuildId).nullable().meta({ description: 'The guilds that it may see; null for all.' }),
    rateLimit: z.int().nullable().meta({ description: "Requests a second; null for the server's own limit." }),
    createdAt: Timestamp,
    expiresAt: Timestamp.nullable().meta({ description: 'Null where it does not end by itself.' }),
    lastUsedAt: Timestamp.nullable().meta({ description: 'The minute of its last use; null where it was never used.' }),
    revokedAt: Timestamp.nullable().meta({ description: 'Null where it is not revoked.' }),
  })
  .meta({ id: 'Key', description: 'A key of the service, without its secret.', examples: [exampleKey] });
export type Key = z.output<typeof Key>;

export const CreateKey = z
  .strictObject({
    name: lineText(100).meta({ description: 'What people know it by.' }),
    scope: Scope,
    guildIds: z
      .array(GuildId, expected('a list of Discord ids'))
      .min(1, { error: 'At least one guild; leave guildIds out for all' })
      .max(limits.guildsOfKey, { error: `At most ${limits.guildsOfKey} guilds` })
      .refine((ids) => new Set(ids).size === ids.length, { error: 'A guild is given twice' })
      .meta({ uniqueItems: true })
      .optional()
      .meta({ description: 'The guilds that it may see; all where missing.' }),
    expiresAt: TimeInput('When it ends, in the future; never where missing.')
      .refine((time) => time > new Date(), { error: 'Expected a time in the future' })
      .optional(),
    rateLimit: wholeNumber(1, limits.rateLimit)
      .meta({ description: "Requests a second; the server's own limit where missing." })
      .optional(),
  })
  .meta({
    override: {
      examples: [{ name: exampleKey.name, scope: exampleKey.scope, guildIds: exampleKey.guildIds, rateLimit: 50 }],
    },
  });
export type CreateKey = z.output<typeof CreateKey>;

/** A key with its secret, which is shown this once. */
export const IssuedKey = z
  .object({ key: Key, secret: z.string().meta({ description: 'To be sent as `Authorization`. Shown this once.' }) })
  .meta({ examples: [{ key: exampleKey, secret: exampleSecret }] });

export const ListKeys = z.strictObject({});
export const KeyList = z.object({ keys: z.array(Key) }).meta({ examples: [{ keys: [exampleKey] }] });

export const RotateKey = z
  .strictObject({
    keyId: KeyId,
    overlapHours: wholeNumber(0, limits.overlapHours)
      .meta({ description: 'Hours for which the old secret stays valid.' })
      .default(24),
  })
  .meta({ examples: [{ keyId: exampleKey.keyId, overlapHours: 24 }] });
export type RotateKey = z.output<typeof RotateKey>;

export const RevokeKey = z.strictObject({ keyId: KeyId }).meta({ examples: [{ keyId: exampleKey.keyId }] });
export const RevokedKey = z
  .object({ changed: z.boolean().meta({ description: 'False where it was revoked before.' }), key: Key })
  .meta({ examples: [{ changed: true, key: { ...exampleKey, revokedAt: example.closedAt } }] });
