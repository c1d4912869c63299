import type { CreateKey, RotateKey } from '@counterfoil/shared/keys';
import { trusted } from 'mongoose';
import { recordChange } from '../audit/model.ts';
import type { Context } from '../context.ts';
import { inTransaction } from '../database/transaction.ts';
import { KeyNotFound, WiderThanItself } from '../errors.ts';
import type { Principal } from './authenticate.ts';
import { ofGuildsOf, requireGuilds } from './guilds.ts';
import { forgetKey } from './known.ts';
import { Key, type KeyRecord } from './model.ts';
import { hashKey, makeKey, makeSecret } from './secret.ts';

const hour = 3_600_000;

/** Throws GuildNotAllowed or WiderThanItself where a key may not have the secret of one with these fields. Its scope is admin. */
function requireNoWider(key: Principal, { guildIds, expiresAt, rateLimit }: KeyRecord): void {
  requireGuilds(key, guildIds);
  if (key.expiresAt && (expiresAt === null || expiresAt > key.expiresAt)) {
    throw new WiderThanItself('expiresAt', key.expiresAt.toISOString());
  }
  if (key.rateLimit !== null && (rateLimit === null || rateLimit > key.rateLimit)) {
    throw new WiderThanItself('rateLimit', String(key.rateLimit));
  }
}

/** What the audit trail tells of a key. */
function told({ name, scope, guildIds, expiresAt, rateLimit }: KeyRecord) {
  return { name, scope, guildIds, expiresAt: expiresAt?.toISOString() ?? null, rateLimit };
}

/** Makes a key and returns it with its secret; throws GuildNotAllowed or WiderThanItself. */
export async function createKey(ctx: Context, input: CreateKey): Promise<{ key: KeyRecord; secret: string }> {
  const { keyId, key: secret } = makeKey();
  const { name, scope, guildIds = null, expiresAt = null, rateLimit = null } = input;
  const key: KeyRecord = {
    _id: keyId,
    name,
    scope,
    guildIds,
    secrets: [{ hash: hashKey(secret), validUntil: null }],
    rateLimit,
    createdAt: new Date(),
    expiresAt,
    lastUsedAt: null,
    revokedAt: null,
  };
  requireNoWider(ctx.key, key);
  await inTransaction(async (session) => {
    await Key.create([key], { session });
    await recordChange(
      ctx,
      { action: 'keys.create', target: keyId, guildIds, before: null, after: told(key) },
      session,
    );
  });
  return { key, secret };
}

/** The keys that a key may see, newest first. */
export async function listKeys(key: Principal): Promise<KeyRecord[]> {
  return Key.find(ofGuildsOf(key)).sort({ createdAt: -1, _id: -1 }).lean();
}

/** Gives a key a new secret; every older one ends after the overlap at the latest. Throws KeyNotFound or WiderThanItself. */
export async function rotateKey(
  ctx: Context,
  { keyId, overlapHours }: RotateKey,
): Promise<{ key: KeyRecord; secret: string }> {
  const secret = makeSecret(keyId);
  const now = new Date();
  const overlapUntil = new Date(now.getTime() + overlapHours * hour);
  const key = await inTransaction(async (session) => {
    const inForce = { revokedAt: null, $or: [{ expiresAt: null }, { expiresAt: trusted({ $gt: now }) }] };
    const filter = { _id: keyId, ...ofGuildsOf(ctx.key), ...inForce };
    const found = await Key.findOne(filter).session(session).lean();
    if (!found) throw new KeyNotFound(keyId);
    requireNoWider(ctx.key, found);
    const older = found.secrets
      .map(({ hash, validUntil }) => ({ hash, validUntil: earlier(validUntil, overlapUntil) }))
      .filter(({ validUntil }) => validUntil > now);
    const secrets = [{ hash: hashKey(secret), validUntil: null }, ...older];
    await Key.updateOne({ _id: keyId }, { secrets }, { session });
    const change = { action: 'keys.rotate', target: keyId, guildIds: found.guildIds, before: {} } as const;
    await recordChange(ctx, { ...change, after: { overlapUntil: overlapUntil.toISOString() } }, session);
    return { ...found, secrets };
  });
  forgetKey(keyId);
  return { key, secret };
}

function earlier(one: Date | null, other: Date): Date {
  return one && one < other ? one : other;
}

/** Revokes a key, at once in this process; throws KeyNotFound. */
export async function revokeKey(ctx: Context, keyId: string): Promise<{ changed: boolean; key: KeyRecord }> {
  const revokedAt = new Date();
  const revoked = await inTransaction(async (session) => {
    const visible = { _id: keyId, ...ofGuildsOf(ctx.key) };
    const update = await Key.updateOne({ ...visible, revokedAt: null }, { revokedAt }, { session });
    const key = await Key.findOne(visible).session(session).lean();
    if (!key) throw new KeyNotFound(keyId);
    const changed = update.matchedCount > 0;
    const change = {
      action: 'keys.revoke',
      target: keyId,
      guildIds: key.guildIds,
      before: { revokedAt: null },
    } as const;
    if (changed) await recordChange(ctx, { ...change, after: { revokedAt: revokedAt.toISOString() } }, session);
    return { changed, key };
  });
  forgetKey(keyId);
  return revoked;
}
