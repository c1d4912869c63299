import type { IncomingMessage, ServerResponse } from 'node:http';
import ipaddr from 'ipaddr.js';
import proxyAddr from 'proxy-addr';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { InvalidKey, MissingKey, RateLimited } from './errors.ts';
import { authorizationsOf, requestState } from './http/request.ts';
import { authenticate, type Principal } from './keys/authenticate.ts';
import { type Calls, countCalls } from './keys/rate-limit.ts';

/** What a procedure knows of its request. Plain data: the client's types are derived from the router's. */
export interface Context {
  requestId: string;
  key: Principal;
}

/** How much callers may use. */
export interface LimitsOfUse {
  /** Requests a second of a key that has no limit of its own; null for any number. */
  rateLimit: number | null;
  /** Failed authorizations a minute from one address; null for any number. */
  failedAuthLimit: number | null;
  /** Whether the proxy at an address, so many steps away, is believed whom it forwards for. */
  trustProxy(address: string, distance: number): boolean;
}

/** Makes the context of a request that makes these calls. */
export type Contexts = (req: IncomingMessage, res: ServerResponse, calls: Calls) => Promise<Context>;

/**
 * What one caller has of addresses: of IPv6 a whole /64 network. A proxy may tell what is no address, with a port for
 * instance; then the connection's own counts.
 */
function networkOf(req: IncomingMessage, trustProxy: LimitsOfUse['trustProxy']): string {
  const told = proxyAddr(req, trustProxy);
  const text = ipaddr.isValid(told) ? told : (req.socket.remoteAddress ?? '');
  if (!ipaddr.isValid(text)) return '';
  const address = ipaddr.process(text);
  return address.kind() === 'ipv4' ? address.toString() : `${address.toByteArray().slice(0, 8)}`;
}

/**
 * Counts whom a request comes from, and who it is: makes the context of every request that has a valid key.
 * Throws MissingKey, InvalidKey, RateLimited, or what the database throws.
 */
export function createContexts({ rateLimit, failedAuthLimit, trustProxy }: LimitsOfUse): Contexts {
  const failures = failedAuthLimit === null ? null : new RateLimiterMemory({ points: failedAuthLimit, duration: 60 });

  /** Answers a failed authorization with itself, or with RateLimited where the address has had too many. */
  async function refusal(req: IncomingMessage, error: MissingKey | InvalidKey) {
    const address = networkOf(req, trustProxy);
    const counted = await failures?.consume(address).catch((exceeded: RateLimiterRes) => exceeded);
    if (!counted || !failures || counted.consumedPoints <= failures.points) return error;
    return new RateLimited('Too many failed authorizations from this address.', Math.ceil(counted.msBeforeNext / 1000));
  }

  return async (req, res, calls) => {
    const state = requestState(req);
    const key = await authenticate(authorizationsOf(req)).catch(async (error: unknown) => {
      throw error instanceof MissingKey || error instanceof InvalidKey ? await refusal(req, error) : error;
    });
    state.keyId = key.keyId;
    await countCalls(key, calls, rateLimit, (name, value) => res.setHeader(name, value));
    return { requestId: state.id, key };
  };
}
