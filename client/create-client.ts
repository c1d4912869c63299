import { createTRPCClient } from '@trpc/client';
import { abortLink } from './abort-link.ts';
import { idLink } from './id-link.ts';
import { type ClientOptions, readOptions } from './options.ts';
import { retryLink } from './retry-link.ts';
import type { AppRouter, CounterfoilClient } from './router-types.ts';
import { sendLink } from './send-link.ts';

/**
 * Makes a client of the service. Throws a TypeError that names each option that is not valid. Every call ends with its result or
 * a CounterfoilError.
 */
export function createClient(options: ClientOptions): CounterfoilClient {
  const settings = readOptions(options);
  return createTRPCClient<AppRouter>({ links: [abortLink(), idLink(), retryLink(settings), sendLink(settings)] });
}
