import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What the log and the metrics say of a request; filled in while it is handled. */
export interface RequestState {
  id: string;
  route: string;
  keyId: string | null;
  startedAt: number;
  /** What went wrong here, where the answer is a 5xx. */
  cause: unknown;
}

const account = Symbol('account');
interface Begun extends IncomingMessage {
  [account]?: RequestState;
}

/** The id of a request: the caller's own where it is well-formed, else a new one. Two are joined with a comma, which is not. */
function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9_.-]{1,64}$/.test(given) ? given : randomUUID();
}

/** Starts the account of a request. */
export function beginRequest(req: Begun): RequestState {
  const state = { id: requestId(req), route: 'unknown', keyId: null, startedAt: performance.now(), cause: undefined };
  req[account] = state;
  return state;
}

/** The account of a request that `beginRequest` has started. */
export function requestState(req: Begun): RequestState {
  const state = req[account];
  if (!state) throw new Error('the request was not begun');
  return state;
}

/** The values of the Authorization headers: Node keeps only the first of several in `headers`. */
export function authorizationsOf({ headers, rawHeaders }: IncomingMessage): string[] {
  if (headers.authorization === undefined) return [];
  return rawHeaders.filter((_, place) => place % 2 === 1 && rawHeaders[place - 1]?.toLowerCase() === 'authorization');
}
