import { createTRPCClient, httpBatchLink, httpLink } from '@trpc/client';
import type { AppRouter } from 'counterfoil/router';

export interface ClientOptions {
  /** The address of the service, such as `http://127.0.0.1:4000`. */
  url: string;
  key: string;
  /** Whether calls made at once go as one request; true where not said. */
  batch?: boolean;
}

/** A client of the service: every procedure with its input and output. */
export function createClient({ url, key, batch = true }: ClientOptions) {
  const options = { url: `${url}/trpc`, headers: { authorization: `Bearer ${key}` } };
  return createTRPCClient<AppRouter>({
    links: [batch ? httpBatchLink({ ...options, maxItems: 10 }) : httpLink(options)],
  });
}
