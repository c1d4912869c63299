import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createClient } from '@counterfoil/client';
import type { ErrorType, Issue } from '@counterfoil/shared/errors';
import type { Scope } from '@counterfoil/shared/keys';
import type { AnyTRPCRouter } from '@trpc/server';
import { type AppDeps, createApp } from 'counterfoil/app';
import { connectDatabase } from 'counterfoil/database/connect';
import { migrate } from 'counterfoil/database/migrate';
import { createHttpServer } from 'counterfoil/http/server';
import { watchKeys } from 'counterfoil/keys/known';
import { Key, type KeyRecord } from 'counterfoil/keys/model';
import { hashKey, makeKey } from 'counterfoil/keys/secret';
import { createLogger } from 'counterfoil/operations/logger';
import { createMetrics } from 'counterfoil/operations/metrics';
import { appRouter } from 'counterfoil/router';
import type { RouteMeta } from 'counterfoil/trpc';
import { connection } from 'mongoose';
import { inject } from 'vitest';
import type { z } from 'zod';
import { search } from './leaks/search.ts';

export { snowflake } from './snowflake.ts';

/** What a call came to, whatever the transport. */
export interface Outcome {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on answers of every shape.
  data: any;
  error?: {
    type: ErrorType;
    message: string;
    requestId: string;
    issues?: Issue[];
    details?: Record<string, unknown>;
  };
  headers: Headers;
}

export type Call = (procedure: string, input: object, key?: string | null) => Promise<Outcome>;

/** A new short id. */
export function shortId(): string {
  return randomUUID().slice(0, 13);
}

/** Stores a key and returns its secret. */
export async function issueKey(scope: Scope, fields: Partial<KeyRecord> = {}): Promise<string> {
  const { keyId, key } = makeKey();
  const secrets = [{ hash: hashKey(key), validUntil: null }];
  await Key.create({ _id: keyId, name: 'test', scope, secrets, createdAt: new Date(), ...fields });
  return key;
}

/** What the service logs in this process is searched for keys; with TEST_LOG it goes to the terminal instead. */
const logger = process.env.TEST_LOG
  ? createLogger(process.env.TEST_LOG)
  : createLogger('info', { write: (line) => search('log', line) });

async function connectOnce(): Promise<void> {
  if (connection.readyState === 1) return;
  await connectDatabase(inject('mongodbUri'));
  await migrate(() => {});
  watchKeys(logger);
}

/** Every procedure by its path, such as `tickets.get`; at run time tRPC keeps them in one flat record. */
export const procedures: Record<string, { _def: { type: string; meta?: RouteMeta; inputs: z.ZodObject[] } }> = (
  appRouter as AnyTRPCRouter
)._def.procedures;

/** The REST route of a procedure, filled with an input. */
function restRequest(procedure: string, input: object): { method: string; path: string; body?: string } {
  const openapi = procedures[procedure]?._def.meta?.openapi;
  if (!openapi) throw new Error(`${procedure} has no REST route`);
  if (openapi.method === 'POST') return { method: 'POST', path: openapi.path, body: JSON.stringify(input) };
  const rest = new Map(Object.entries(input));
  const path = openapi.path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = encodeURIComponent(String(rest.get(name)));
    rest.delete(name);
    return value;
  });
  const query = new URLSearchParams(Object.fromEntries(rest));
  return { method: 'GET', path: rest.size > 0 ? `${path}?${query}` : path };
}

function trpcRequest(procedure: string, input: object): { method: string; path: string; body?: string } {
  const body = JSON.stringify(input);
  if (procedures[procedure]?._def.type === 'mutation') return { method: 'POST', path: `/trpc/${procedure}`, body };
  return { method: 'GET', path: `/trpc/${procedure}?input=${encodeURIComponent(body)}` };
}

/** Calls procedures of the service at `url` over REST and over tRPC, with `defaultKey` where none is given. */
export function callsTo(url: string, defaultKey: string): { rest: Call; trpc: Call } {
  async function send(request: { method: string; path: string; body?: string }, key: string | null = defaultKey) {
    const headers = { ...(key !== null && { authorization: key }), 'content-type': 'application/json' };
    const response = await fetch(url + request.path, { ...request, headers });
    // biome-ignore lint/suspicious/noExplicitAny: whatever the service answers, the tests look at it.
    const body: any = await response.json();
    return { status: response.status, headers: response.headers, body };
  }
  return {
    async rest(procedure, input, key) {
      const { status, headers, body } = await send(restRequest(procedure, input), key);
      return status === 200 ? { status, headers, data: body } : { status, headers, data: undefined, error: body.error };
    },
    async trpc(procedure, input, key) {
      const { status, headers, body } = await send(trpcRequest(procedure, input), key);
      if (status === 200) return { status, headers, data: body.result.data };
      return { status, headers, data: undefined, error: { message: body.error.message, ...body.error.data } };
    },
  };
}

/** Runs the real service in this process on a port of its own, with an admin key. */
export async function startApp(deps: Partial<AppDeps> = {}) {
  await connectOnce();
  const app = createApp({
    logger,
    metrics: createMetrics(),
    isDraining: () => false,
    limits: { rateLimit: null, failedAuthLimit: null, trustProxy: () => false },
    corsOrigins: [],
    ...deps,
  });
  const server = createHttpServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const key = await issueKey('admin');
  return {
    url,
    port,
    key,
    ...callsTo(url, key),
    client: (withKey = key) => createClient({ url, key: withKey }),
    fetch(path: string, init: RequestInit = {}) {
      const headers = new Headers(init.headers);
      if (!headers.has('authorization')) headers.set('authorization', key);
      return fetch(url + path, { ...init, headers });
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export type App = Awaited<ReturnType<typeof startApp>>;
