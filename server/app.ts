import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { covers } from '@counterfoil/shared/keys';
import express, { type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { type Context, type Contexts, createContexts, type LimitsOfUse } from './context.ts';
import { InsufficientScope, InvalidEncoding, MethodNotAllowed, RouteNotFound } from './errors.ts';
import { createCors } from './http/cors.ts';
import { createRefusal } from './http/refuse.ts';
import { beginRequest, requestState } from './http/request.ts';
import { sendError, sendJson } from './http/respond.ts';
import { createTrpcMount } from './http/trpc.ts';
import { splitTarget } from './http/url.ts';
import { checkReadiness } from './operations/health.ts';
import { isOverloaded } from './operations/load.ts';
import type { Logger } from './operations/logger.ts';
import type { Metrics } from './operations/metrics.ts';
import { createDocs } from './rest/docs.ts';
import { createRestFace } from './rest/face.ts';
import { appRouter } from './router.ts';

export interface AppDeps {
  logger: Logger;
  metrics: Metrics;
  /** Whether the server is shutting down: no longer ready, and every connection ends with its next answer. */
  isDraining(): boolean;
  limits: LimitsOfUse;
  /** The origins whose pages may call from a browser, such as `https://panel.example`. */
  corsOrigins: string[];
}

type Page = (req: Request, res: Response) => void | Promise<void>;

/** The whole service as a listener of a node:http server; it does not listen by itself. */
export function createApp(deps: AppDeps): RequestListener {
  const contextOf = createContexts(deps.limits);
  const answerRest = createRestFace(appRouter, contextOf);
  const answerTrpc = createTrpcMount(appRouter, contextOf);
  const web = createWeb(deps, contextOf);
  const answerCors = createCors(deps.corsOrigins);
  const refuse = createRefusal(deps);
  return (req, res) => {
    if (isOverloaded() && !isOperational(req)) {
      if (!answerCors(req, res)) refuse(req, res);
      return;
    }
    const state = beginRequest(req);
    res.setHeader('X-Request-Id', state.id);
    res.setHeader('X-Content-Type-Options', 'nosniff');
    if (deps.isDraining()) res.setHeader('Connection', 'close');
    res.once('close', () => account(deps, req, res));
    if (answerCors(req, res) || answerRest(req, res)) return;
    const { path, query } = splitTarget(req.url ?? '');
    const target = query === '' ? path : `${path}?${query}`;
    if (path === '/trpc' || path.startsWith('/trpc/')) return answerTrpc(req, res, target);
    // Express answers a target that it cannot parse with HTML of its own.
    req.url = target.startsWith('/') ? target : '/';
    web(req, res);
  };
}

/** Whether a request is about the service itself, and answered however much it has to do. */
function isOperational({ url = '' }: IncomingMessage): boolean {
  return url.startsWith('/health/') || url.startsWith('/metrics');
}

/** One log line and one count a request; a request whose caller went away before the answer counts as 499. */
function account({ logger, metrics }: AppDeps, req: IncomingMessage, res: ServerResponse): void {
  const { id: requestId, route, keyId, startedAt, cause } = requestState(req);
  const ms = performance.now() - startedAt;
  const status = res.writableFinished ? res.statusCode : 499;
  metrics.count(route, status, ms / 1000);
  const line = { requestId, method: req.method, route, status, ms: Math.round(ms * 100) / 100, keyId };
  if (status >= 500) logger.error({ ...line, err: cause }, 'request');
  else logger.info(line, 'request');
}

/** What is no documented procedure: tRPC, operations, the document and its page. */
function createWeb({ metrics, isDraining }: AppDeps, contextOf: Contexts) {
  const web = express();
  web.disable('x-powered-by').disable('etag').enable('case sensitive routing');

  function page(path: string, answer: Page): void {
    web.all(path, async (req, res) => {
      requestState(req).route = path;
      if (req.method !== 'GET' && req.method !== 'HEAD') throw new MethodNotAllowed('GET, HEAD');
      await answer(req, res);
    });
  }

  page('/health/live', (_req, res) => sendJson(res, 200, { status: 'live' }));
  page('/health/ready', async (_req, res) => sendJson(res, 200, await checkReadiness(isDraining())));
  page('/metrics', async (req, res) => {
    if (!isLocal(req)) requireAdmin(await contextOf(req, res, {}));
    res.set('Content-Type', metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  let document: string | undefined;
  page('/openapi.json', async (_req, res) => {
    document ??= await writeDocument();
    res.type('json').send(document);
  });
  web.use('/docs', helmet({ strictTransportSecurity: false, contentSecurityPolicy: docsPolicy }), createDocs());

  web.use(() => {
    throw new RouteNotFound();
  });
  web.use((error: unknown, req: Request, res: Response, _next: NextFunction) => {
    sendError(req, res, error instanceof URIError ? new InvalidEncoding('The path is not valid.') : error);
  });
  return web;
}

/** The OpenAPI document: made when it is first asked for, since most processes never are. */
async function writeDocument(): Promise<string> {
  const { createOpenApiDocument } = await import('./rest/openapi.ts');
  return JSON.stringify(createOpenApiDocument(appRouter));
}

/** swagger-ui sets style attributes and inlines images; nothing comes from elsewhere. */
const docsPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    frameAncestors: ["'none'"],
  },
};

function requireAdmin({ key }: Context): void {
  if (!covers(key.scope, 'admin')) throw new InsufficientScope('admin');
}

/** Whether a request comes from this machine itself, and not through a proxy on it. */
function isLocal(req: Request): boolean {
  const forwarded = /^(forwarded|via|x-forwarded-.*|x-real-ip|x-client-ip|x-cluster-client-ip|true-client-ip|cf-.*)$/;
  const address = req.socket.remoteAddress ?? '';
  const loopback = address === '::1' || /^(::ffff:)?127\./.test(address);
  return loopback && !Object.keys(req.headers).some((name) => forwarded.test(name));
}
