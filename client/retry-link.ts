import type { TRPCLink } from '@trpc/client';
import { observable, type Unsubscribable } from '@trpc/server/observable';
import { CounterfoilError, isAway } from './errors.ts';
import type { Settings } from './options.ts';
import type { AppRouter } from './router-types.ts';

/** What makes another secret each time it is called: never sent again by the client. */
const neverRepeated = new Set(['keys.create', 'keys.rotate']);

/** The longest wait that the service may ask for, in milliseconds: a caller who must wait longer is told at once. */
const longestWait = 30_000;

/** Whether the same call may succeed a little later. A cooldown is a rule, and is not waited for. */
function mayPass(error: CounterfoilError): boolean {
  return isAway(error) || (error.code === 429 && error.type !== 'cooldown');
}

/** Milliseconds before the attempt after `attempts` ones: 0.2, 0.6, 1.8, then 5 seconds, less up to half of it by chance. */
function backoff(attempts: number): number {
  return Math.min(200 * 3 ** (attempts - 1), 5_000) * (1 - Math.random() / 2);
}

/** Milliseconds to wait before a failed call is sent again; null where it is not. */
function waitFor(error: unknown, path: string, attempts: number, { retries, urls }: Retries): number | null {
  if (!(error instanceof CounterfoilError) || !mayPass(error)) return null;
  if (attempts > retries || neverRepeated.has(path)) return null;
  // What one address asks for is no reason to make another wait that was not tried yet.
  if (isAway(error) && attempts % urls.length !== 0) return backoff(1);
  const { retryAfterMs } = error;
  if (retryAfterMs === null) return backoff(attempts);
  // A little later than asked for, each call at a moment of its own.
  return retryAfterMs > longestWait ? null : retryAfterMs + backoff(1);
}

type Retries = Pick<Settings, 'retries' | 'urls'>;

/** Sends a call again that failed on its way, each call of a batch for itself. tRPC's own retryLink knows no Retry-After. */
export function retryLink(settings: Retries): TRPCLink<AppRouter> {
  return () =>
    ({ op, next }) =>
      observable((observer) => {
        let attempts = 0;
        let subscription: Unsubscribable | undefined;
        let timer: ReturnType<typeof setTimeout> | undefined;

        function attempt() {
          attempts += 1;
          subscription = next(op).subscribe({
            ...observer,
            error(error) {
              const wait = waitFor(error, op.path, attempts, settings);
              if (wait === null) observer.error(error);
              else timer = setTimeout(attempt, wait);
            },
          });
        }

        attempt();
        return () => {
          clearTimeout(timer);
          subscription?.unsubscribe();
        };
      });
}
