import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { StartupError } from './startup-error.ts';

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const Environment = z.object({
  PORT: z
    .string()
    .regex(/^[0-9]+$/, { error: 'must be a whole number' })
    .transform(Number)
    .refine((port) => port <= 65535, { error: 'must be at most 65535' })
    .default(4000),
  HOST: z.string().default('127.0.0.1'),
  MONGODB_URI: z
    .string()
    .regex(/^mongodb(\+srv)?:\/\//, { error: 'must begin with mongodb:// or mongodb+srv://' })
    .optional(),
  // Beside the program, wherever it is called from: the service and the commands beside it must find the same.
  DATA_DIR: z.string().default(fileURLToPath(new URL('../data', import.meta.url))),
  COUNTERFOIL_KEY: z
    .string()
    .regex(/^[\x21-\x7e]{24,256}$/, { error: 'must be 24 to 256 visible ASCII characters, without spaces' })
    .optional(),
  LOG_LEVEL: z.enum(logLevels, { error: `must be one of ${logLevels.join(', ')}` }).default('info'),
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
  mongodBinary: string | undefined;
  path: string;
  /** Where downloaded programs are kept, absolute. */
  cacheDir: string;
}

/** Reads the settings; throws a StartupError that names each bad variable. */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const { data, error } = Environment.safeParse(set);
  if (error) {
    const lines = error.issues.map((issue) => `  ${issue.path.join('.')} ${issue.message}`);
    throw new StartupError('badConfiguration', `The environment is not valid:\n${lines.join('\n')}`);
  }
  return {
    port: data.PORT,
    host: data.HOST,
    mongodbUri: data.MONGODB_URI ?? null,
    dataDir: resolve(data.DATA_DIR),
    key: data.COUNTERFOIL_KEY,
    logLevel: data.LOG_LEVEL,
    mongodBinary: data.MONGOD_BINARY,
    path: data.PATH,
    cacheDir: join(resolve(data.XDG_CACHE_HOME), 'counterfoil'),
  };
}
