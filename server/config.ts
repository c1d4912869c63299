import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { limits } from '@counterfoil/shared/primitives';
import proxyAddr from 'proxy-addr';
import { z } from 'zod';
import type { LimitsOfUse } from './context.ts';
import { StartupError } from './startup-error.ts';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/**
 * Run from source, `data` beside the README, wherever it is called from: the service and the commands beside it must find
 * the same. An installed program has no such place, and would lose what lies in its own: `data` where it is called from.
 */
const defaultDataDir = import.meta.url.endsWith('.ts')
  ? fileURLToPath(new URL('../data', import.meta.url))
  : resolve('data');

const wholeNumber = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^[0-9]+$/, { error: 'must be a whole number' })
    .transform(Number)
    .refine((number) => number >= minimum && number <= maximum, {
      error: `must be from ${minimum} to ${maximum}`,
    });

/** A list of texts, separated by commas. */
const list = z.string().transform((text) => text.split(',').map((part) => part.trim()));

function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

/** Whom TRUST_PROXY believes: the nearest proxies, by their number, or those of some addresses. */
function trustOf(text: string): LimitsOfUse['trustProxy'] {
  if (!/^[0-9]+$/.test(text)) return proxyAddr.compile(text.split(',').map((part) => part.trim()));
  return (_address, distance) => distance < Number(text);
}

function isTrust(text: string): boolean {
  try {
    trustOf(text);
    return true;
  } catch {
    return false;
  }
}

const Environment = z.object({
  PORT: wholeNumber(0, 65535).default(4000),
  HOST: z.string().default('127.0.0.1'),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, { error: 'must begin with mongodb:// or mongodb+srv://' })
    .optional(),
  DATA_DIR: z.string().default(defaultDataDir),
  COUNTERFOIL_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{24,256}$/, { error: 'must be 24 to 256 visible ASCII characters, without spaces' })
    .optional(),
  LOG_LEVEL: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).default('info'),
  RATE_LIMIT: wholeNumber(1, limits.rateLimit).optional(),
  FAILED_AUTH_LIMIT: wholeNumber(0, 1_000_000).default(100),
  MAX_CONCURRENT_CALLS: wholeNumber(1, 100_000).default(64),
  TRUST_PROXY: z
    .string()
    .refine(isTrust, {
      error: 'must be the number of proxies in front, or their addresses or networks, such as loopback,10.0.0.0/8',
    })
    .transform(trustOf)
    .default(() => () => false),
  CORS_ORIGINS: list
    .refine((origins) => origins.every(isOrigin), {
      error: 'must be origins separated by commas, such as https://panel.example',
    })
    .default([]),
  MONGOD_BINARY: z.string().optional(),
  PATH: z.string().default(''),
  XDG_CACHE_HOME: z.string().default(join(homedir(), '.cache')),
});

/** The settings of the server, from its environment. An empty variable counts as unset. */
export interface Config {
  port: number;
  host: string;
  /** Where MongoDB is; null for the embedded one. */
  mongodbUri: string | null;
  /** The folder of the embedded database, absolute. */
  dataDir: string;
  key: string | undefined;
  logLevel: (typeof logLevels)[number];
  limits: LimitsOfUse;
  /** Calls of procedures that may be under way at once. */
  maxConcurrentCalls: number;
  corsOrigins: string[];
  mongodBinary: string | undefined;
  path: string;
  /** Where downloaded programs are kept, absolute. */
  cacheDir: string;
}

/** A variable that is not valid, and why. */
export interface BadVariable {
  variable: string;
  message: string;
}

/** Reads the settings; throws a StartupError that names each bad variable. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const { config, bad } = inspectEnvironment(environment);
  if (bad.length === 0) return config;
  const lines = bad.map(({ variable, message }) => `  ${variable} ${message}`);
  throw new StartupError('badConfiguration', `The environment is not valid:\n${lines.join('\n')}`);
}

/** The settings, with the default in place of each bad variable, and which variables are bad and which are set. */
export function inspectEnvironment(environment: NodeJS.ProcessEnv = process.env): {
  config: Config;
  bad: BadVariable[];
  isSet(variable: string): boolean;
} {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const issues = Environment.safeParse(set).error?.issues ?? [];
  const bad = issues.map(({ path, message }) => ({ variable: path.join('.'), message }));
  const sound = Object.entries(set).filter(([name]) => !bad.some(({ variable }) => variable === name));
  const config = toConfig(Environment.parse(Object.fromEntries(sound)));
  return { config, bad, isSet: (variable) => variable in set };
}

function toConfig(data: z.output<typeof Environment>): Config {
  return {
    port: data.PORT,
    host: data.HOST,
    mongodbUri: data.MONGODB_URI ?? null,
    dataDir: resolve(data.DATA_DIR),
    key: data.COUNTERFOIL_KEY,
    logLevel: data.LOG_LEVEL,
    limits: {
      rateLimit: data.RATE_LIMIT ?? null,
      failedAuthLimit: data.FAILED_AUTH_LIMIT || null,
      trustProxy: data.TRUST_PROXY,
    },
    maxConcurrentCalls: data.MAX_CONCURRENT_CALLS,
    corsOrigins: data.CORS_ORIGINS,
    mongodBinary: data.MONGOD_BINARY,
    path: data.PATH,
    cacheDir: join(resolve(data.XDG_CACHE_HOME), 'counterfoil'),
  };
}
