import { type ClientOptions, createClient } from '@counterfoil/client';
import { startServer } from '../server-process.ts';
import { key } from './one-member.ts';

export interface ServicesOptions {
  env?: Record<string, string>;
  /** What is loaded before each of them, in their order. */
  preloads?: (string | undefined)[];
}

/** Runs two processes of the service over one database. */
export async function startServices(uri: string, { env = {}, preloads = [] }: ServicesOptions = {}) {
  const start = (preload: string | undefined) =>
    startServer({
      env: { MONGODB_URI: uri, COUNTERFOIL_KEY: key, LOG_LEVEL: 'error', ...env },
      ...(preload && { preload }),
    });
  const [first, second] = await Promise.all([start(preloads[0]), start(preloads[1])]);
  const processes = [first, second];
  const urls = [first.url, second.url] as const;
  return {
    key,
    urls,
    processes,
    client: (options: Partial<ClientOptions> = {}) => createClient({ url: urls, key, ...options }),
    async [Symbol.asyncDispose]() {
      await Promise.all(processes.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

export type Services = Awaited<ReturnType<typeof startServices>>;
