import type { TRPCLink } from '@trpc/client';
import { observable } from '@trpc/server/observable';
import { CounterfoilError } from './errors.ts';
import type { AppRouter } from './router-types.ts';

/** Ends a call at once when its caller aborts it, wherever it is: its request goes on for the others of its batch. */
export function abortLink(): TRPCLink<AppRouter> {
  return () =>
    ({ op, next }) =>
      observable((observer) => {
        const { signal } = op;
        const abort = () => observer.error(new CounterfoilError('aborted', 'The call was aborted by its caller.'));
        if (signal?.aborted) return abort();
        signal?.addEventListener('abort', abort, { once: true });
        const subscription = next({ ...op, signal: null }).subscribe(observer);
        return () => {
          signal?.removeEventListener('abort', abort);
          subscription.unsubscribe();
        };
      });
}
