import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { type DomainError, HeadersTooLarge, InvalidEncoding, RequestTimeout, RouteNotFound } from '../errors.ts';
import { StartupError } from '../startup-error.ts';
import { errorBody, sendError } from './respond.ts';

/** The answers that a server still owes. */
const owed = new WeakMap<Server, Set<ServerResponse>>();
/** The newest answer of a connection. */
const newest = new WeakMap<Duplex, ServerResponse>();

/** A node:http server with bounded waits, which answers broken requests in the service's own envelope. */
export function createHttpServer(listener: RequestListener): Server {
  const answers = new Set<ServerResponse>();
  const take = (req: IncomingMessage, res: ServerResponse<IncomingMessage> & { req: IncomingMessage }) => {
    newest.set(req.socket, res);
    answers.add(res);
    res.once('close', () => answers.delete(res));
    listener(req, res);
  };
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 15_000,
      connectionsCheckingInterval: 2_000,
      keepAliveTimeout: 65_000,
      // The service never looks at Host; without this Node answers a missing one by itself, with an empty body.
      requireHostHeader: false,
    },
    take,
  );
  owed.set(server, answers);
  server.on('checkExpectation', take);
  server.on('connect', (_req, socket) => answerBroken(new RouteNotFound(), socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else refuse(refusalOf(error), socket);
  });
  return server;
}

function refusalOf({ code }: NodeJS.ErrnoException): DomainError {
  if (code === 'HPE_HEADER_OVERFLOW') return new HeadersTooLarge();
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new RequestTimeout();
  return new InvalidEncoding('This is not a valid HTTP/1.1 request.');
}

/** Answers what Node could not read to its end as a request, and ends the connection. */
function refuse(refusal: DomainError, socket: Duplex): void {
  const res = newest.get(socket);
  if (!res || (res.req.complete && res.writableFinished)) answerBroken(refusal, socket);
  // Sent behind a request that still waits for its answer: that one goes first.
  else if (res.req.complete) res.once('close', () => answerBroken(refusal, socket));
  else if (!res.headersSent) sendError(res.req, res.setHeader('Connection', 'close'), refusal);
  else socket.destroy();
}

/** Milliseconds that a caller has to read the answer to a broken request. */
const readWait = 1_000;

function answerBroken(refusal: DomainError, socket: Duplex): void {
  const requestId = randomUUID();
  const body = JSON.stringify(errorBody(refusal, requestId));
  const head = [
    `HTTP/1.1 ${refusal.status} ${refusal.type}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    'Connection: close',
  ];
  socket.on('error', () => {});
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  // Read on, or the caller that still sends is reset before it sees the answer; but not for good.
  socket.resume();
  setTimeout(() => socket.destroy(), readWait).unref();
}

/** Connections that may wait to be taken; one more is dropped, and tries again after a second or more. */
const backlog = 4096;

/** Listens, and returns the address for people; throws a StartupError where that is not possible. */
export async function listen(server: Server, port: number, host: string): Promise<string> {
  try {
    server.listen(port, host, backlog);
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new StartupError('portInUse', `PORT ${port} is in use on ${host}. End what listens there, or set PORT.`);
    }
    throw new StartupError('badConfiguration', `HOST ${host}, PORT ${port}: cannot listen there (${code}).`);
  }
  const address = server.address();
  const bound = typeof address === 'object' && address ? address.port : port;
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${bound}`;
}

/** Milliseconds that accepted requests get to be answered, and that begun connections get to send one. */
const answerWait = 20_000;
const requestWait = 1_000;
const lookEvery = 50;

/**
 * Resolves in a turn of the event loop that found no connection to take: the kernel resets those that wait when a
 * server closes. Only one that is made in that very turn can still be reset; nothing of its request was read.
 */
async function noneWaits(server: Server): Promise<void> {
  let taken = 0;
  server.on('connection', () => {
    taken += 1;
  });
  for (let seen = -1; seen !== taken; await turn()) seen = taken;
}

/** Stops taking connections after `noticeMs`, in which load balancers learn of it, and answers what was taken. */
export async function drain(server: Server, { noticeMs }: { noticeMs: number }): Promise<void> {
  await sleep(noticeMs);
  await noneWaits(server);
  const closed = once(server.close(), 'close');
  let waited = 0;
  // Connections become idle one after the other; Node itself closes only those that are so at once.
  const look = setInterval(() => {
    waited += lookEvery;
    server.closeIdleConnections();
    const done = owed.get(server)?.size === 0;
    if (waited > answerWait || (done && waited > requestWait)) server.closeAllConnections();
  }, lookEvery);
  await closed;
  clearInterval(look);
}
