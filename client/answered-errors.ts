import type { Issue } from '@counterfoil/shared/errors';
import type { TRPCClientError } from '@trpc/client';
import { CounterfoilError, type CounterfoilErrorType } from './errors.ts';
import { type Answer, RequestFailure } from './request.ts';
import type { AppRouter } from './router-types.ts';

/** Milliseconds of a Retry-After header, which is seconds or a date; null where there is none that can be read. */
function readRetryAfter(headers: Headers): number | null {
  const text = headers.get('retry-after');
  if (text === null) return null;
  const ms = /[a-z]/i.test(text) ? Date.parse(text) - Date.now() : Number(text) * 1000;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/** What the service says of an error. */
interface Told {
  type: CounterfoilErrorType;
  code: number | null;
  requestId: string | null;
  issues: Issue[] | undefined;
  details: undefined;
}

/**
 * Reads an error of the service in tRPC's shape, or in REST's, which it has where HTTP itself was at fault; null for
 * one of somebody else's. The casts hold because the service alone gives its errors a `type`, and the rest belongs to it.
 */
function readTold(shape: unknown): Told | null {
  const { data, ...rest } = Object(shape);
  const { type, httpStatus, code, requestId = null, issues, details } = data ?? rest;
  if (typeof type !== 'string') return null;
  return { type: type as CounterfoilErrorType, code: httpStatus ?? code, requestId, issues, details };
}

/** The Retry-After that an error came with: the header of a batch belongs to the first error in it, and to those like it. */
function retryAfterOf(type: string, { response, responseJSON }: Meta): number | null {
  const answers = Array.isArray(responseJSON) ? responseJSON : [responseJSON];
  const first = answers.find((answer) => answer?.error);
  return response && readTold(first?.error)?.type === type ? readRetryAfter(response.headers) : null;
}

/** What tRPC's links tell of the answer. */
interface Meta {
  response?: Answer;
  responseJSON?: unknown;
}

/** Takes the key out, wherever it stands: a caller may have sent it as an input, which an error then repeats. */
function withoutKey<T>(value: T, key: string): T {
  const text = JSON.stringify(value);
  const secret = JSON.stringify(key).slice(1, -1);
  return text?.includes(secret) ? JSON.parse(text.replaceAll(secret, '<key>')) : value;
}

/** Why there was no answer. A `fetch` that tells of its headers may have written the key in some other form: that is left out. */
function reasonOf({ message }: RequestFailure): string {
  return /authorization|bearer/i.test(message) ? '' : `: ${message}`;
}

/** Makes an error of the client's own of what tRPC's links throw: nothing of the request, or of a foreign answer, is in it. */
export function toCounterfoilError(
  thrown: TRPCClientError<AppRouter>,
  { url, key }: { url: string; key: string },
): CounterfoilError {
  const { cause } = thrown;
  const meta: Meta = thrown.meta ?? {};
  const shape = withoutKey(thrown.shape, key);
  const told = readTold(shape);
  if (shape && told) {
    const { type, ...rest } = told;
    const retryAfterMs = retryAfterOf(type, meta);
    return new CounterfoilError(type, shape.message, { ...rest, retryAfterMs, ...(shape.data && { shape }) });
  }
  if (cause instanceof RequestFailure && cause.answer === null) {
    return new CounterfoilError('connection_failed', withoutKey(`No answer from ${url}${reasonOf(cause)}.`, key));
  }
  const answer = cause instanceof RequestFailure ? cause.answer : meta.response;
  const status = answer ? ` (HTTP status ${answer.status})` : '';
  return new CounterfoilError('unexpected_response', `What answers at ${url} is not Counterfoil${status}.`, {
    ...(answer && {
      code: answer.status,
      requestId: answer.headers.get('x-request-id'),
      retryAfterMs: readRetryAfter(answer.headers),
    }),
  });
}
