import { expected, wholeNumber } from '@counterfoil/shared/primitives';
import { z } from 'zod';

export interface ClientOptions {
  /**
   * The address of the service, such as `http://127.0.0.1:4000`, or several of the same service: when one is away, the
   * client moves on to the next and stays there. A path is kept: `https://example.org/tickets` is called at
   * `https://example.org/tickets/trpc`.
   */
  url: string | readonly string[];
  /** The key, as the service printed it. */
  key: string;
  /** Whether calls made in the same tick go as one request, at most 10 at once; true where not said. */
  batch?: boolean | undefined;
  /** Milliseconds that each attempt may take; 10,000 where not said. */
  timeoutMs?: number | undefined;
  /**
   * Further attempts after the first one that failed on its way, or with 429 `rate_limited` or 503; 4 where not said. The waits
   * between are about 0.2, 0.6, 1.8 and 5 seconds, or what the service's Retry-After says.
   */
  retries?: number | undefined;
  /** What sends the requests; the global `fetch` where not said. */
  fetch?: typeof fetch | undefined;
  /** Put in front of `counterfoil-client/<version>` in the User-Agent. */
  userAgent?: string | undefined;
}

/** The options as they are used. */
export interface Settings {
  /** Without a slash at the end. */
  urls: [string, ...string[]];
  key: string;
  batch: boolean;
  timeoutMs: number;
  retries: number;
  fetch: typeof fetch;
  userAgent: string | undefined;
}

/** The longest time that a timer can wait, in milliseconds. */
const longestTimer = 2 ** 31 - 1;

const address = 'the address of the service, such as http://127.0.0.1:4000';

function parseAddress(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

const Address = z.string(expected(address)).transform((text, context) => {
  const url = parseAddress(text);
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  };
  if (!url || !/^https?:$/.test(url.protocol)) return refuse(`Expected ${address}, beginning with http:// or https://`);
  if (url.username || url.password) return refuse('Must not hold a user or a password');
  if (url.search || url.hash) return refuse('Must not hold a query or a fragment');
  return url.origin + url.pathname.replace(/\/+$/, '');
});

const key = 'the key as the service printed it: visible ASCII characters, without spaces and line breaks';

const Options = z.strictObject(
  {
    url: z.tuple([Address], Address, expected(address)),
    key: z.string(expected(key)).regex(/^[\x21-\x7e]+$/, { error: `Expected ${key}` }),
    batch: z.boolean('Expected a boolean').default(true),
    timeoutMs: wholeNumber(1, longestTimer).default(10_000),
    retries: wholeNumber(0, 100).default(4),
    fetch: z.custom<typeof fetch>((given) => typeof given === 'function', { error: 'Expected a function' }).optional(),
    userAgent: z
      .string('Expected a text')
      .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, { error: 'Expected ASCII characters that a header can carry' })
      .optional(),
  },
  { error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : 'Expected an object of options') },
);

/** Checks the options; throws a TypeError that names each bad one, and never repeats what was given. */
export function readOptions(options: ClientOptions): Settings {
  const isOne = typeof options?.url === 'string';
  const { data, error } = Options.safeParse(isOne ? { ...options, url: [options.url] } : options);
  if (error) {
    const lines = error.issues.flatMap((issue) => {
      if (issue.code === 'unrecognized_keys') return issue.keys.map((name) => `${name}: Unknown option`);
      const path = isOne && issue.path[0] === 'url' ? 'url' : issue.path.join('.');
      return path ? `${path}: ${issue.message}` : issue.message;
    });
    throw new TypeError(`The options of the client are not valid. ${lines.join('; ')}.`);
  }
  const { url: urls, fetch: given, userAgent, ...settings } = data;
  return {
    ...settings,
    urls,
    userAgent,
    fetch: given ?? ((...request) => globalThis.fetch(...request)),
  };
}
