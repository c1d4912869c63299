import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AnyTRPCProcedure, AnyTRPCRouter } from '@trpc/server';
import findMyWay from 'find-my-way';
import { z } from 'zod';
import { callOf } from '../call.ts';
import type { Contexts } from '../context.ts';
import { MethodNotAllowed } from '../errors.ts';
import { readJson } from '../http/body.ts';
import { requestState } from '../http/request.ts';
import { sendError, sendJson } from '../http/respond.ts';
import { decodePart, readQuery, splitTarget } from '../http/url.ts';
import { callsOf } from '../keys/rate-limit.ts';
import { withinCapacity } from '../operations/load.ts';
import type { RouteMeta } from '../trpc.ts';

type Definition = AnyTRPCProcedure['_def'] & { inputs: unknown[]; meta?: RouteMeta };

interface Route {
  method: 'GET' | 'POST';
  /** As documented: `/tickets/get/id/{shortId}`. */
  path: string;
  call: ReturnType<typeof callOf>;
  type: 'query' | 'mutation';
  /** The fields of a query that are numbers: they are read from their text. */
  numbers: Set<string>;
  /** Whether a value can stand for a parameter of the path. */
  takes(parameter: string, value: string): boolean;
}

interface Found {
  route: Route;
  /** The path's parameters, still percent-encoded. */
  params: Record<string, string>;
}

/** Answers one request, or returns false where no procedure is bound to its path. */
export type RestFace = (req: IncomingMessage, res: ServerResponse) => boolean;

function numbersOf(inputs: unknown[]): Set<string> {
  const schemas = inputs.filter((input) => input instanceof z.ZodObject);
  const properties = schemas.flatMap((schema) =>
    Object.entries(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }).properties ?? {}),
  );
  const isNumber = (property: unknown) => /^(integer|number)$/.test(String(Object(property).type));
  return new Set(properties.filter(([, property]) => isNumber(property)).map(([name]) => name));
}

function takesOf(inputs: unknown[]): Route['takes'] {
  const shapes = inputs.flatMap((input) => (input instanceof z.ZodObject ? [input.shape] : []));
  return (parameter, value) => shapes.every((shape) => shape[parameter]?.safeParse(value).success !== false);
}

function readNumbers(fields: Record<string, string>, numbers: Set<string>): Record<string, unknown> {
  const isText = (text: string) => /^-?[0-9]{1,15}$/.test(text);
  return Object.fromEntries(
    Object.entries(fields).map(([name, text]) => [name, numbers.has(name) && isText(text) ? Number(text) : text]),
  );
}

/** The metadata are those of trpc-openapi, which takes a tenth of a start to load: only the document is made by it. */
function routesOf(router: AnyTRPCRouter): Route[] {
  return Object.entries<AnyTRPCProcedure>(router._def.procedures).flatMap(([name, procedure]) => {
    const { type, inputs, meta } = procedure._def as Definition;
    if (!meta?.openapi) return [];
    const { method, path } = meta.openapi;
    if (type === 'subscription' || (type === 'query') !== (method === 'GET')) {
      throw new Error(`${name}: a query is bound to GET, a mutation to POST`);
    }
    return [{ method, path, call: callOf(procedure, name), type, numbers: numbersOf(inputs), takes: takesOf(inputs) }];
  });
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

/** Binds every procedure that has openapi metadata to its documented route. */
export function createRestFace(router: AnyTRPCRouter, contextOf: Contexts): RestFace {
  const table = findMyWay({ caseSensitive: true, ignoreTrailingSlash: true, maxParamLength: 16_384 });
  const routes = routesOf(router);
  /** Paths without parameters: where `/blocks/delete` takes POST, a GET of it means no guild named "delete". */
  const fixed = new Set(routes.map(({ path }) => path).filter((path) => !path.includes('{')));
  for (const route of routes) {
    table.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ':$1'), () => {}, route);
  }

  function find(method: string | undefined, safePath: string): Found | null {
    const found = method === 'GET' || method === 'POST' ? table.find(method, safePath) : null;
    if (!found) return null;
    const [route, params] = [found.store as Route, found.params as Found['params']];
    const meant =
      !fixed.has(safePath.replace(/\/$/, '')) ||
      Object.entries(params).every(([name, value]) => route.takes(name, value));
    return meant ? { route, params } : null;
  }

  async function readInput(req: IncomingMessage, { route, params }: Found, query: string) {
    if (route.method === 'POST') {
      const { value } = await readJson(req);
      readQuery(query, () => false);
      return value;
    }
    const fields = readQuery(query, (name) => !Object.hasOwn(params, name));
    const input = readNumbers(fields, route.numbers);
    for (const [name, value] of Object.entries(params)) input[name] = decodePart(value);
    return input;
  }

  async function answer(req: IncomingMessage, res: ServerResponse, found: Found, query: string) {
    const { route } = found;
    // Until the procedure is called nothing can have been changed, whatever fails.
    let stage: Route['type'] = 'query';
    try {
      const ctx = await withinCapacity(() => contextOf(req, res, callsOf([route.type])));
      const input = await readInput(req, found, query);
      stage = route.type;
      sendJson(res, 200, await route.call(ctx, async () => input));
    } catch (error) {
      sendError(req, res, error, stage);
    }
  }

  return (req, res) => {
    const { path, query } = splitTarget(req.url ?? '');
    const safePath = protectEscapes(path);
    const found = find(req.method === 'HEAD' ? 'GET' : req.method, safePath);
    if (found) {
      requestState(req).route = found.route.path;
      void answer(req, res, found, query);
      return true;
    }
    const [get, post] = [find('GET', safePath), find('POST', safePath)];
    const other = get ?? post;
    if (!other) return false;
    requestState(req).route = other.route.path;
    sendError(req, res, new MethodNotAllowed([get && 'GET, HEAD', post && 'POST'].filter(Boolean).join(', ')));
    return true;
  };
}
