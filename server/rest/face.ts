import type { IncomingMessage, ServerResponse } from 'node:http';
import { type AnyTRPCRouter, callTRPCProcedure } from '@trpc/server';
import findMyWay from 'find-my-way';
import { forEachOpenApiProcedure } from 'trpc-openapi';
import { type Context, createContext } from '../context.ts';
import { MethodNotAllowed } from '../errors.ts';
import { readJson } from '../http/body.ts';
import { requestState } from '../http/request.ts';
import { sendError, sendJson } from '../http/respond.ts';
import { decodePart, readQuery, splitTarget } from '../http/url.ts';

interface Route {
  method: 'GET' | 'POST';
  /** As documented: `/tickets/get/id/{shortId}`. */
  path: string;
  /** The procedure's path in the router: `tickets.get`. */
  procedure: string;
  type: 'query' | 'mutation';
}

interface Found {
  route: Route;
  /** The path's parameters, still percent-encoded. */
  params: Record<string, string>;
}

/** Answers one request, or returns false where no procedure is bound to its path. */
export type RestFace = (req: IncomingMessage, res: ServerResponse) => boolean;

function routesOf(router: AnyTRPCRouter): Route[] {
  const routes: Route[] = [];
  forEachOpenApiProcedure(router._def.procedures, ({ path: procedure, type, meta: { openapi } }) => {
    const { method, path } = openapi;
    if (
      (method !== 'GET' && method !== 'POST') ||
      type === 'subscription' ||
      (type === 'query') !== (method === 'GET')
    ) {
      throw new Error(`${procedure}: a query is bound to GET, a mutation to POST`);
    }
    routes.push({ method, path, procedure, type });
  });
  return routes;
}

/**
 * Makes the router decode nothing: what is unreserved is decoded here (RFC 3986, 6.2.2.2), every other escape goes
 * through as it is, so that a parameter is decoded exactly once, after authorization.
 */
function protectEscapes(path: string): string {
  return path
    .replace(/%(2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])/gi, (code) => decodeURIComponent(code))
    .replaceAll('%', '%25');
}

function methodOf(req: IncomingMessage): string | undefined {
  return req.method === 'HEAD' ? 'GET' : req.method;
}

/** Binds every procedure that has openapi metadata to its documented route. */
export function createRestFace(router: AnyTRPCRouter): RestFace {
  const table = findMyWay({ caseSensitive: true, ignoreTrailingSlash: true, maxParamLength: 16_384 });
  for (const route of routesOf(router)) {
    table.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ':$1'), () => {}, route);
  }

  function find(method: string | undefined, safePath: string): Found | null {
    const found = method === 'GET' || method === 'POST' ? table.find(method, safePath) : null;
    return found && { route: found.store as Route, params: found.params as Found['params'] };
  }

  async function readInput(req: IncomingMessage, { route, params }: Found, query: string) {
    if (route.method === 'POST') {
      const { value } = await readJson(req);
      readQuery(query, () => false);
      return value;
    }
    const decoded = Object.entries(params).map(([name, value]) => [name, decodePart(value)] as const);
    return { ...readQuery(query, (name) => !Object.hasOwn(params, name)), ...Object.fromEntries(decoded) };
  }

  async function call(route: Route, ctx: Context, input: unknown): Promise<unknown> {
    const { procedure: path, type } = route;
    const getRawInput = async () => input;
    return callTRPCProcedure({ router, path, type, ctx, getRawInput, signal: undefined, batchIndex: 0 });
  }

  async function answer(req: IncomingMessage, res: ServerResponse, found: Found, query: string) {
    const { route } = found;
    // Until the procedure is called nothing can have been changed, whatever fails.
    let stage: Route['type'] = 'query';
    try {
      if (methodOf(req) !== route.method) throw new MethodNotAllowed(route.method === 'GET' ? 'GET, HEAD' : 'POST');
      const ctx = await createContext(req);
      const input = await readInput(req, found, query);
      stage = route.type;
      sendJson(res, 200, await call(route, ctx, input));
    } catch (error) {
      sendError(req, res, error, stage);
    }
  }

  return (req, res) => {
    const { path, query } = splitTarget(req.url ?? '');
    const safePath = protectEscapes(path);
    const found = find(methodOf(req), safePath) ?? find('GET', safePath) ?? find('POST', safePath);
    if (!found) return false;
    requestState(req).route = found.route.path;
    void answer(req, res, found, query);
    return true;
  };
}
