import type { ErrorDetails, ErrorType, Issue } from '@counterfoil/shared/errors';
import { TRPCClientError } from '@trpc/client';
import type { inferRouterError } from '@trpc/server';
import type { AppRouter } from './router-types.ts';

/**
 * Every type of error that a call can end with: the service's own, and what befalls a call on its way.
 *
 * - `connection_failed`: no answer was had; whether the call took effect is not known.
 * - `timed_out`: no answer within `timeoutMs`; whether the call took effect is not known.
 * - `aborted`: the caller's own AbortSignal ended it.
 * - `unexpected_response`: somebody else answered, such as a proxy with a page of HTML.
 */
export type CounterfoilErrorType = ErrorType | 'connection_failed' | 'timed_out' | 'aborted' | 'unexpected_response';

/** The `details` of an error of this type; undefined where it has none. */
export type CounterfoilErrorDetails<Type extends CounterfoilErrorType> = Type extends ErrorType
  ? ErrorDetails<Type>
  : undefined;

/** What is told of an error besides its type and message. */
interface Told<Type extends CounterfoilErrorType> {
  code?: number | null;
  requestId?: string | null;
  issues?: Issue[] | undefined;
  details?: CounterfoilErrorDetails<Type>;
  retryAfterMs?: number | null;
  /** The error as the service's tRPC sent it, where it did. */
  shape?: inferRouterError<AppRouter>;
}

/** What every call ends with that does not succeed. */
export class CounterfoilError<
  Type extends CounterfoilErrorType = CounterfoilErrorType,
> extends TRPCClientError<AppRouter> {
  readonly type: Type;
  /** The HTTP status; null where there was no answer. */
  readonly code: number | null;
  /** The `X-Request-Id` of the answer, which finds the request in the service's log; null where there was none. */
  readonly requestId: string | null;
  /** What is wrong with the input, by field; with `validation_failed` only. */
  readonly issues: Issue[] | undefined;
  readonly details: CounterfoilErrorDetails<Type>;
  /** Milliseconds after which to try again, where the service said so: `rate_limited`, `cooldown` and 503. */
  readonly retryAfterMs: number | null;

  constructor(type: Type, message: string, told: Told<Type> = {}) {
    super(message, told.shape && { result: { error: told.shape } });
    // TRPCClientError's constructor makes every instance one of its own class.
    Object.setPrototypeOf(this, new.target.prototype);
    this.name = 'CounterfoilError';
    this.type = type;
    this.code = told.code ?? null;
    this.requestId = told.requestId ?? null;
    this.issues = told.issues;
    this.details = told.details as CounterfoilErrorDetails<Type>;
    this.retryAfterMs = told.retryAfterMs ?? null;
  }
}

/** Whether something thrown is an error of the client; with `type`, whether it is one of that type. */
export function isCounterfoilError(error: unknown): error is CounterfoilError;
export function isCounterfoilError<Type extends CounterfoilErrorType>(
  error: unknown,
  type: Type,
): error is CounterfoilError<Type>;
export function isCounterfoilError(error: unknown, type?: CounterfoilErrorType): boolean {
  return error instanceof CounterfoilError && (type === undefined || error.type === type);
}

/** Whether there was no answer of the service itself: another address, or another moment, may have one. */
export function isAway({ type, code }: CounterfoilError): boolean {
  return type === 'connection_failed' || type === 'timed_out' || code === 502 || code === 503 || code === 504;
}
