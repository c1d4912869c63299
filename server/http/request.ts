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

const states = new WeakMap<IncomingMessage, RequestState>();

/** The id of a request: the caller's own where it is well-formed, else a new one. */
function requestId(req: IncomingMessage): string {
  const given = req.headersDistinct['x-request-id'];
  return given?.length === 1 && given[0] && /^[A-Za-z0-9_.-]{1,64}$/.test(given[0]) ? given[0] : randomUUID();
}

/** Starts the account of a request. */
export function beginRequest(req: IncomingMessage): RequestState {
  const state = { id: requestId(req), route: 'unknown', keyId: null, startedAt: performance.now(), cause: undefined };
  states.set(req, state);
  return state;
}

/** The account of a request that `beginRequest` has started. */
export function requestState(req: IncomingMessage): RequestState {
  const state = states.get(req);
  if (!state) throw new Error('the request was not begun');
  return state;
}
