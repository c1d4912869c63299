import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { Overloaded } from '../errors.ts';
import type { Logger } from '../operations/logger.ts';
import type { Metrics } from '../operations/metrics.ts';
import { beginRequest } from './request.ts';
import { errorBody } from './respond.ts';
import { trpcErrorBody } from './trpc.ts';

/** Connections that are read again in one turn of the event loop. */
const readAtOnce = 128;

/**
 * Lets connections wait for their turn to be read. Each answer of the database waits until all connections that have
 * sent something were looked at, and libuv looks again, up to 48 times in one turn of the event loop, while more than a
 * thousand have: of thousands of refused ones, that send again at once, only some are read at a time.
 */
function createTurns() {
  const waiting: Socket[] = [];
  const next = () => {
    for (const socket of waiting.splice(0, readAtOnce)) socket.resume();
    if (waiting.length > 0) setImmediate(next);
  };
  return (socket: Socket): void => {
    socket.pause();
    if (waiting.push(socket) === 1) setImmediate(next);
  };
}

/** Milliseconds in which the refusals make one line of the log. */
const logEvery = 1000;
/** Stands for the request id in the texts that are made once. */
const place = '<request id>';

/**
 * Refuses requests as overloaded, at a cost that lets the service go on with what it has accepted: the texts are made
 * once, and the log has one line a second for all.
 */
export function createRefusal({ logger, metrics }: { logger: Logger; metrics: Metrics }) {
  const overloaded = new Overloaded();
  const headers = Object.entries({
    ...overloaded.headers,
    'Content-Type': 'application/json; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  }).flat();
  const rest = JSON.stringify(errorBody(overloaded, place)).split(place);
  const trpc = JSON.stringify(trpcErrorBody(overloaded, place)).split(place);
  const waitForTurn = createTurns();
  let refused = 0;

  return (req: IncomingMessage, res: ServerResponse): void => {
    const { id } = beginRequest(req);
    const text = (req.url?.startsWith('/trpc') ? trpc : rest).join(id);
    res.writeHead(overloaded.status, [
      ...headers,
      'X-Request-Id',
      id,
      'Content-Length',
      String(Buffer.byteLength(text)),
    ]);
    // Until the request has come to its end Node reads on by itself, even if it was answered.
    req.once('close', () => waitForTurn(req.socket));
    res.end(text);
    metrics.count('overloaded', overloaded.status, 0);
    refused += 1;
    if (refused > 1) return;
    setTimeout(() => {
      logger.warn({ refused, status: overloaded.status }, 'overloaded');
      refused = 0;
    }, logEvery).unref();
  };
}
