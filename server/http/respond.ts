import type { IncomingMessage, ServerResponse } from 'node:http';
import { type DomainError, toDomainError } from '../errors.ts';
import { requestState } from './request.ts';

/** Answers with JSON, unless the answer is already given: a request can break while it is worked on. */
export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  if (res.headersSent) return;
  const text = JSON.stringify(body);
  res.statusCode = status;
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('Content-Length', Buffer.byteLength(text));
  res.end(text);
}

/** The REST body of an error. */
export function errorBody(error: DomainError, requestId: string) {
  const { status: code, type, message, issues, details } = error;
  return { error: { code, type, message, requestId, issues, details } };
}

/** Answers with an error: its status, its headers, and a body that is the REST envelope where no other is given. */
export function sendError(
  req: IncomingMessage,
  res: ServerResponse,
  thrown: unknown,
  type: 'query' | 'mutation' = 'query',
  bodyOf: (error: DomainError, requestId: string) => object = errorBody,
): void {
  const error = toDomainError(thrown, type);
  const state = requestState(req);
  if (res.headersSent) return;
  if (error.status >= 500) state.cause = error.cause;
  for (const [name, value] of Object.entries(error.headers)) res.setHeader(name, value);
  sendJson(res, error.status, bodyOf(error, state.id));
}
