import { limits } from '@counterfoil/shared/primitives';
import { httpBatchLink, httpLink, type Operation, splitLink, type TRPCLink } from '@trpc/client';
import { observable } from '@trpc/server/observable';
import { toCounterfoilError } from './answered-errors.ts';
import { CounterfoilError, isAway } from './errors.ts';
import type { Settings } from './options.ts';
import packageJson from './package.json' with { type: 'json' };
import { createRequest } from './request.ts';
import type { AppRouter } from './router-types.ts';

/** Characters of a URL that every proxy takes: the service itself takes 16 KiB of headers. */
const urlLength = 6_000;
/** What a query in a batch may take of its URL, in characters: a longer one goes alone. */
const batchedQueryLength = 2_000;
/** What a command in a batch may take of its body, in bytes, with its place in the batch: a larger one goes alone. */
const batchedBodyBytes = Math.floor(limits.bodyBytes / limits.batchCalls) - 10;

/** Refuses an input that JSON cannot carry, which in a batch would fail the others too. */
function refusalOf({ input }: Operation): CounterfoilError | null {
  try {
    JSON.stringify(input);
    return null;
  } catch (error) {
    const message = `Cannot be sent as JSON: ${error instanceof Error ? error.message : error}`;
    return new CounterfoilError('validation_failed', `The input is not valid. ${message}.`, {
      issues: [{ path: '', message }],
    });
  }
}

/** Whether a call is small enough to share a request. */
function isSmall({ type, input }: Operation): boolean {
  const text = JSON.stringify(input) ?? '';
  if (type === 'query') return encodeURIComponent(text).length <= batchedQueryLength;
  return new TextEncoder().encode(text).length <= batchedBodyBytes;
}

/** Sends calls to one address by tRPC's own links. */
function httpTo(url: string, { key, batch, userAgent, fetch }: Settings): TRPCLink<AppRouter> {
  const version = `counterfoil-client/${packageJson.version}`;
  const options = {
    url: `${url}/trpc`,
    headers: { authorization: `Bearer ${key}`, 'user-agent': userAgent ? `${userAgent} ${version}` : version },
    fetch: createRequest(fetch),
  };
  if (!batch) return httpLink(options);
  return splitLink({
    condition: isSmall,
    true: httpBatchLink({ ...options, maxItems: limits.batchCalls, maxURLLength: urlLength }),
    false: httpLink(options),
  });
}

/**
 * One attempt at a call: to the address that answered last, for `timeoutMs` at most. Ends with a CounterfoilError, and moves on
 * to the next address where this one is away.
 */
export function sendLink(settings: Settings): TRPCLink<AppRouter> {
  const { key, timeoutMs } = settings;
  const [first, ...others] = settings.urls;
  return (runtime) => {
    const connect = (url: string) => ({ url, send: httpTo(url, settings)(runtime) });
    const addresses = [connect(first), ...others.map(connect)] as const;
    let current = 0;
    return ({ op, next }) =>
      observable((observer) => {
        const place = current;
        const { url, send } = addresses[place] ?? addresses[0];

        function fail(error: CounterfoilError) {
          // Several calls may find the same address away: they move on from it once.
          if (isAway(error) && current === place) current = (place + 1) % addresses.length;
          observer.error(error);
        }

        const refusal = refusalOf(op);
        if (refusal) return fail(refusal);
        const late = () => fail(new CounterfoilError('timed_out', `No answer from ${url} within ${timeoutMs} ms.`));
        const timer = setTimeout(late, timeoutMs);
        const subscription = send({ op, next }).subscribe({
          ...observer,
          error: (thrown) => fail(toCounterfoilError(thrown, { url, key })),
        });
        return () => {
          clearTimeout(timer);
          subscription.unsubscribe();
        };
      });
  };
}
