import type { IncomingMessage, ServerResponse } from 'node:http';
import { limits } from '@counterfoil/shared/primitives';
import { type AnyTRPCProcedure, type AnyTRPCRouter, getTRPCErrorShape, TRPCError } from '@trpc/server';
import { fetchRequestHandler } from '@trpc/server/adapters/fetch';
import { withOwnCalls } from '../call.ts';
import type { Contexts } from '../context.ts';
import {
  BatchTooLarge,
  type DomainError,
  InvalidJson,
  MethodNotAllowed,
  RouteNotFound,
  toDomainError,
  trpcCode,
} from '../errors.ts';
import { callsOf } from '../keys/rate-limit.ts';
import { withinCapacity } from '../operations/load.ts';
import { appRouter } from '../router.ts';
import { readJson } from './body.ts';
import { requestState } from './request.ts';
import { sendError } from './respond.ts';
import { decodePart, readQuery, splitTarget } from './url.ts';

const endpoint = '/trpc';

/** Checks that the input of a query is JSON; a batch's is an object of its calls' inputs. */
function requireJsonInput(input: string): void {
  try {
    JSON.parse(input);
  } catch {
    throw new InvalidJson('it could not be parsed', 'input');
  }
}

/** The body of an error that comes before tRPC, in tRPC's shape. */
export function trpcErrorBody(error: DomainError, requestId: string) {
  const shape = getTRPCErrorShape({
    config: (appRouter as AnyTRPCRouter)._def._config,
    error: new TRPCError({ code: trpcCode(error.status), message: error.message, cause: error }),
    type: 'query',
    path: undefined,
    input: undefined,
    ctx: { requestId },
  });
  return { error: shape };
}

/**
 * Serves the router over tRPC's own protocol. What both transports refuse alike is refused before tRPC sees it, and
 * it sees nothing of the request but the calls, their inputs and the method.
 */
export function createTrpcMount(router: AnyTRPCRouter, contextOf: Contexts) {
  const called = withOwnCalls(router);

  function procedureOf(call: string): AnyTRPCProcedure | undefined {
    return Object.hasOwn(router._def.procedures, call) ? router._def.procedures[call] : undefined;
  }

  /** The methods that the calls of a path take; throws RouteNotFound where the only one is unknown. */
  function methodsOf(calls: string[]): ('GET' | 'POST')[] {
    const [only = ''] = calls;
    if (calls.length > 1) return ['GET', 'POST'];
    const procedure = procedureOf(only);
    if (!procedure) throw new RouteNotFound();
    return [procedure._def.type === 'mutation' ? 'POST' : 'GET'];
  }

  /** The request that tRPC sees. */
  async function toRequest(req: IncomingMessage, calls: string[], query: string, method: string): Promise<Request> {
    const body = method === 'POST' ? (await readJson(req)).text : null;
    const { batch, input } = readQuery(query, (name) => name === 'batch' || (name === 'input' && method === 'GET'));
    if (input !== undefined) requireJsonInput(input);
    const search = new URLSearchParams({ ...(batch && { batch }), ...(input !== undefined && { input }) });
    const path = calls.map(encodeURIComponent).join(',');
    const headers = { 'content-type': 'application/json' };
    return new Request(`http://counterfoil${endpoint}/${path}?${search}`, { method, headers, body });
  }

  async function answer(req: IncomingMessage, res: ServerResponse, target: string): Promise<void> {
    const state = requestState(req);
    const { path, query } = splitTarget(target);
    const isBatch = /(^|&)batch=1(&|$)/.test(query);
    const names = decodePart(path.slice(endpoint.length + 1)).replace(/\/$/, '');
    const calls = isBatch ? names.split(',') : [names];
    const methods = methodsOf(calls);
    state.route = calls.length > 1 ? 'trpc batch' : `trpc ${names}`;
    const method = req.method === 'HEAD' ? 'GET' : (req.method ?? '');
    if (!methods.some((allowed) => allowed === method)) {
      throw new MethodNotAllowed(methods.map((allowed) => (allowed === 'GET' ? 'GET, HEAD' : allowed)).join(', '));
    }
    const counted = callsOf(calls.map((call) => procedureOf(call)?._def.type));
    const context = await withinCapacity(() => contextOf(req, res, counted));
    const request = await toRequest(req, calls, query, method);
    if (calls.length > limits.batchCalls) throw new BatchTooLarge();
    const response = await fetchRequestHandler({
      endpoint,
      router: called,
      req: request,
      maxBatchSize: limits.batchCalls,
      createContext: () => context,
      responseMeta({ errors }) {
        const [first] = errors;
        return { headers: first ? toDomainError(first, 'query').headers : {} };
      },
      onError({ error, type }) {
        const domainError = toDomainError(error, type === 'mutation' ? 'mutation' : 'query');
        if (domainError.status >= 500) state.cause = domainError.cause;
      },
    });
    res.statusCode = response.status;
    for (const [name, value] of response.headers) res.setHeader(name, value);
    res.setHeader('Cache-Control', 'no-store');
    res.end(Buffer.from(await response.arrayBuffer()));
  }

  /** Answers a request to `/trpc/…`; `target` is its whole path and query. */
  return (req: IncomingMessage, res: ServerResponse, target: string): void => {
    answer(req, res, target).catch((error: unknown) => sendError(req, res, error, 'query', trpcErrorBody));
  };
}
