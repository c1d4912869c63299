import { makeKey } from 'counterfoil/keys/secret';
import fc from 'fast-check';
import { issueKey } from '../harness.ts';
import { guilds } from './inputs.ts';

const validKinds = ['admin', 'write', 'read', 'bearer', 'admin of a guild', 'write of two guilds'] as const;
const wrongKinds = [
  'none',
  'no key',
  'wrong checksum',
  'unknown',
  'revoked',
  'expired',
  'in capitals',
  'with a space',
  'given twice',
  'of 10 kB',
] as const;
export type KeyKind = (typeof validKinds)[number] | (typeof wrongKinds)[number];

export function isValid(kind: KeyKind): boolean {
  return validKinds.some((valid) => valid === kind);
}

/** Which key a request comes with: more than half the time a valid one. */
export const keyKind = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom<KeyKind>(...validKinds) },
  { weight: 1, arbitrary: fc.constantFrom<KeyKind>(...wrongKinds) },
);

/** Stores keys of each kind, and answers the values of the Authorization headers that present them. */
export async function issueKeys(): Promise<Record<KeyKind, string[]>> {
  const admin = await issueKey('admin');
  return {
    admin: [admin],
    write: [await issueKey('write')],
    read: [await issueKey('read')],
    bearer: [`Bearer ${admin}`],
    'admin of a guild': [await issueKey('admin', { guildIds: guilds.slice(0, 1) })],
    'write of two guilds': [await issueKey('write', { guildIds: guilds.slice(0, 2) })],
    none: [],
    'no key': ['Basic dXNlcjpwYXNz'],
    'wrong checksum': [admin.slice(0, -1) + (admin.endsWith('a') ? 'b' : 'a')],
    unknown: [makeKey().key],
    revoked: [await issueKey('admin', { revokedAt: new Date() })],
    expired: [await issueKey('admin', { expiresAt: new Date(0) })],
    'in capitals': [admin.toUpperCase()],
    'with a space': [`${admin.slice(0, 20)} ${admin.slice(20)}`],
    'given twice': [admin, admin],
    'of 10 kB': ['x'.repeat(10_000)],
  };
}
