import type { IncomingMessage, ServerResponse } from 'node:http';
import { limits } from '@counterfoil/shared/primitives';
import { type AnyTRPCProcedure, type AnyTRPCRouter, getTRPCErrorShape, TRPCError } from '@trpc/server';
import { createExpressMiddleware } from '@trpc/server/adapters/express';
import { type Request, type Response, Router } from 'express';
import { type Context, createContext } from '../context.ts';
import { BatchTooLarge, MethodNotAllowed, RouteNotFound, toDomainError, trpcCode } from '../errors.ts';
import { readJson } from './body.ts';
import { requestState } from './request.ts';
import { sendJson } from './respond.ts';
import { decodePart } from './url.ts';

/** The calls that a path names: `tickets.get`, or several behind commas with `?batch=1`. */
function callsOf(req: Request): string[] {
  const path = decodePart(req.path.slice(1));
  return req.query.batch === '1' ? path.split(',') : [path];
}

/** Serves the router over tRPC's own protocol. What both transports refuse alike is refused before tRPC sees it. */
export function createTrpcMount(router: AnyTRPCRouter): Router {
  const contexts = new WeakMap<IncomingMessage, Context>();

  function procedureOf(call: string): AnyTRPCProcedure | undefined {
    return Object.hasOwn(router._def.procedures, call) ? router._def.procedures[call] : undefined;
  }

  /** The refusals of a single call that come before authorization: unknown, or by the wrong method. */
  function requireRoute(call: string, method: string): void {
    const procedure = procedureOf(call);
    if (!procedure) throw new RouteNotFound();
    const allowed = procedure._def.type === 'mutation' ? 'POST' : 'GET';
    if (method !== allowed) throw new MethodNotAllowed(allowed === 'GET' ? 'GET, HEAD' : 'POST');
  }

  function sendError(req: Request, res: Response, thrown: unknown): void {
    if (res.headersSent) return;
    const { id: requestId } = requestState(req);
    const { headers, status, message, cause: reason } = toDomainError(thrown, 'query');
    if (status >= 500) requestState(req).cause = reason;
    const error = new TRPCError({ code: trpcCode(status), message, cause: thrown });
    const shape = getTRPCErrorShape({
      config: router._def._config,
      error,
      type: 'query',
      path: undefined,
      input: undefined,
      ctx: { requestId },
    });
    res.set(headers);
    sendJson(res as ServerResponse, status, { error: shape });
  }

  async function prepare(req: Request): Promise<void> {
    // tRPC answers HEAD with an empty 204; Node leaves the body of a HEAD's answer out by itself.
    if (req.method === 'HEAD') req.method = 'GET';
    const calls = callsOf(req);
    const [first = ''] = calls;
    const state = requestState(req);
    if (calls.length === 1) {
      requireRoute(first, req.method);
      state.route = `trpc ${first}`;
    } else {
      state.route = 'trpc batch';
      if (req.method !== 'GET' && req.method !== 'POST') throw new MethodNotAllowed('GET, HEAD, POST');
    }
    contexts.set(req, await createContext(req));
    if (calls.length > limits.batchCalls) throw new BatchTooLarge();
    // The text, not the value: tRPC parses by itself.
    if (req.method === 'POST') req.body = (await readJson(req)).text;
  }

  const mount = Router({ caseSensitive: true });
  mount.use((req, res, next) => {
    prepare(req).then(
      () => next(),
      (error: unknown) => sendError(req, res, error),
    );
  });
  mount.use(
    createExpressMiddleware({
      router,
      maxBatchSize: limits.batchCalls,
      createContext: ({ req }) => contexts.get(req),
      responseMeta: ({ errors }) => {
        const first = errors[0] && toDomainError(errors[0], 'query');
        return { headers: { ...first?.headers } };
      },
      onError: ({ req, error, type }) => {
        const domainError = toDomainError(error, type === 'mutation' ? 'mutation' : 'query');
        if (domainError.status >= 500) requestState(req).cause = domainError.cause;
      },
    }),
  );
  return mount;
}
