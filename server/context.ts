import type { IncomingMessage } from 'node:http';
import { requestState } from './http/request.ts';
import { authenticate, type Principal } from './keys/authenticate.ts';

/** What a procedure knows of its request. Plain data: the client's types are derived from the router's. */
export interface Context {
  requestId: string;
  key: Principal;
}

/** Makes the context of a request; throws MissingKey, InvalidKey, or what the database throws. */
export async function createContext(req: IncomingMessage): Promise<Context> {
  const key = await authenticate(req.headersDistinct.authorization ?? []);
  const state = requestState(req);
  state.keyId = key.keyId;
  return { requestId: state.id, key };
}
