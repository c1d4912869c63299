import { model, Schema } from 'mongoose';
import { RateLimiterMongo } from 'rate-limiter-flexible';
import { inTime } from '../database/connect.ts';
import { RateLimited } from '../errors.ts';
import type { Principal } from './authenticate.ts';

/** What is counted apart. */
type CallClass = 'reads' | 'commands';
/** How many calls of each class a request makes. */
export type Calls = Partial<Record<CallClass, number>>;

/** The calls of a request, by the types of their procedures; an unknown one counts as a read. */
export function callsOf(types: readonly (string | undefined)[]): Calls {
  const commands = types.filter((type) => type === 'mutation').length;
  const reads = types.length - commands;
  return { ...(reads > 0 && { reads }), ...(commands > 0 && { commands }) };
}

/** Seconds of a window: its quota, ten times the rate, may be used at once. */
const windowSeconds = 10;
/** A window is taken in this many parts at most, each with one write: the processes over a database share it by them. */
const parts = 20;

/** What this process has of a window. */
interface Share {
  /** Calls that this process may let through, and has. */
  granted: number;
  used: number;
  /** When the window ends, as of performance.now(). */
  endsAt: number;
  /** Calls that are left for every process. */
  left: number;
}

const shares = new Map<string, Share>();
const taking = new Map<string, Promise<void>>();

/** What all processes have taken of the windows; written by rate-limiter-flexible. */
const schema = new Schema(
  { key: { type: String, required: true }, points: { type: Number, required: true }, expire: { type: Date } },
  { collection: 'rateLimits', versionKey: false, strict: 'throw' },
);
schema.index({ key: 1 }, { unique: true });
schema.index({ expire: 1 }, { expireAfterSeconds: 0 });
const Window = model('RateLimit', schema);

/** Counts what is taken. It refuses nothing: the quota is each key's own. */
const windows = new RateLimiterMongo({
  storeClient: Window.db,
  tableName: Window.collection.name,
  keyPrefix: '',
  disableIndexesCreation: true,
  points: Number.MAX_SAFE_INTEGER,
  duration: windowSeconds,
});

/** Takes a part of the window's quota for this process. */
async function takePart(id: string, quota: number): Promise<void> {
  const part = Math.ceil(quota / parts);
  let { consumedPoints, msBeforeNext } = await inTime(windows.consume(id, part));
  // Begun by a clock that was ahead: it would lock the key out for the difference.
  if (msBeforeNext > windowSeconds * 1000) {
    await inTime(windows.delete(id));
    ({ consumedPoints, msBeforeNext } = await inTime(windows.consume(id, part)));
  }
  const now = performance.now();
  const before = shares.get(id);
  // Who is the first to take of a window has begun it.
  const goesOn = before !== undefined && before.endsAt > now && consumedPoints > part;
  const share = goesOn ? before : { granted: 0, used: 0, left: 0, endsAt: 0 };
  const leftBefore = Math.max(0, quota - (consumedPoints - part));
  share.granted += Math.min(part, leftBefore);
  share.left = Math.max(0, leftBefore - part);
  share.endsAt = now + msBeforeNext;
  shares.set(id, share);
}

/** Uses `calls` of a window's quota, if so many are left; answers this process's share of it. */
async function use(id: string, quota: number, calls: number): Promise<{ share: Share; enough: boolean }> {
  for (;;) {
    const share = shares.get(id);
    if (share && share.endsAt > performance.now()) {
      const enough = share.granted - share.used >= calls;
      if (enough) share.used += calls;
      if (enough || share.left === 0) return { share, enough };
    }
    // Who comes meanwhile waits for the same part.
    const next = taking.get(id) ?? takePart(id, quota).finally(() => taking.delete(id));
    taking.set(id, next);
    await next;
  }
}

/**
 * Counts the calls of a request against the limit of its key, of all processes together, and tells the headers of it
 * (RateLimit and RateLimit-Policy, draft-ietf-httpapi-ratelimit-headers-10). Throws RateLimited, or what the database throws.
 */
export async function countCalls(
  { keyId, rateLimit }: Principal,
  calls: Calls,
  defaultLimit: number | null,
  tell: (name: string, value: string) => void,
): Promise<void> {
  const limit = rateLimit ?? defaultLimit;
  const classes = Object.entries(calls);
  if (limit === null || classes.length === 0) return;
  const quota = limit * windowSeconds;
  const uses = [];
  for (const [name, count] of classes) uses.push({ name, count, ...(await use(`${keyId}:${name}`, quota, count)) });
  const exceeded = uses.find(({ enough }) => !enough);
  // Refused as a whole: what its other class has used is given back.
  if (exceeded) for (const { share, count, enough } of uses) if (enough) share.used -= count;
  const secondsLeft = ({ endsAt }: Share) => Math.max(0, Math.ceil((endsAt - performance.now()) / 1000));
  const rest = ({ granted, used, left }: Share) => granted - used + left;
  tell('RateLimit-Policy', classes.map(([name]) => `"${name}";q=${quota};w=${windowSeconds}`).join(', '));
  tell('RateLimit', uses.map(({ name, share }) => `"${name}";r=${rest(share)};t=${secondsLeft(share)}`).join(', '));
  if (!exceeded) return;
  const what = `This key has used up its ${quota} ${exceeded.name} in ${windowSeconds} s.`;
  throw new RateLimited(what, secondsLeft(exceeded.share));
}
