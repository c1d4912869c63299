import type { IncomingMessage, ServerResponse } from 'node:http';
import cors from 'cors';

/** Seconds for which a browser keeps the answer to a preflight. */
const maxAge = 600;

/**
 * Lets pages of some origins call from a browser (https://fetch.spec.whatwg.org/#http-cors-protocol): answers their
 * preflights, and returns whether it did. Without origins it does nothing.
 */
export function createCors(origins: string[]): (req: IncomingMessage, res: ServerResponse) => boolean {
  if (origins.length === 0) return () => false;
  const exposedHeaders = ['X-Request-Id', 'Retry-After', 'RateLimit', 'RateLimit-Policy'];
  // Firefox asks for leave to send the user agent of the typed client.
  const allowedHeaders = ['Authorization', 'Content-Type', 'X-Request-Id', 'User-Agent'];
  const methods = ['GET', 'HEAD', 'POST'];
  const allow = cors({ origin: origins, methods, allowedHeaders, exposedHeaders, maxAge, preflightContinue: true });
  return (req, res) => {
    allow(req, res, () => {});
    const isPreflight = req.method === 'OPTIONS' && req.headers['access-control-request-method'] !== undefined;
    if (!isPreflight) return false;
    res.writeHead(204).end();
    return true;
  };
}
