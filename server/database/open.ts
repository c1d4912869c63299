import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { report, StartupError } from '../startup-error.ts';
import { connectDatabase, disconnectDatabase } from './connect.ts';
import { findRunning, startEmbedded } from './embedded.ts';
import { findMongod } from './mongod.ts';

type Report = (line: string) => void;

/** A database that is there, run by us or by others. */
export interface OpenDatabase {
  uri: string;
  /** Whether it is the embedded database, run by this process or shared with the one that runs it. */
  ours: boolean;
  shared: boolean;
  /** Resolves when a database of ours has ended; never where it is somebody else's. */
  closed: Promise<unknown>;
  stop(): Promise<void>;
}

function elsewhere(uri: string, shared = false): OpenDatabase {
  return { uri, ours: false, shared, closed: new Promise<never>(() => {}), stop: async () => {} };
}

/** The database of the service: the one named, else the embedded one, which it then runs. Throws StartupError. */
export async function openDatabase(config: Config, report: Report): Promise<OpenDatabase> {
  const { mongodbUri, dataDir, mongodBinary, path, cacheDir } = config;
  if (mongodbUri !== null) return elsewhere(mongodbUri);
  await mkdir(dataDir, { recursive: true }).catch(refuseFolder);
  const mongod = await findMongod({ mongodBinary, path, cacheDir, report });
  return { ...(await startEmbedded({ dataDir, mongod, report }).catch(refuseFolder)), ours: true, shared: false };
}

/**
 * The database that the service has, for a command beside it: an embedded one that runs already is shared.
 * Throws a StartupError where there is none, unless `mayMake`.
 */
export async function joinDatabase(config: Config, report: Report, mayMake: boolean): Promise<OpenDatabase> {
  if (config.mongodbUri !== null) return elsewhere(config.mongodbUri);
  if (!mayMake && !existsSync(join(config.dataDir, 'db'))) {
    throw new StartupError(
      'badConfiguration',
      `There is no database in ${config.dataDir}: name its folder in DATA_DIR, or the database in MONGODB_URI.`,
    );
  }
  report(`The embedded database in ${config.dataDir}`);
  const running = await findRunning(config.dataDir);
  return running === null ? openDatabase(config, report) : elsewhere(running, true);
}

/** How a command beside the service finds its database, for people. */
export const whichDatabase = `
The database is that of the service, by the same environment: MONGODB_URI names yours; without it, it is the embedded
one in DATA_DIR, which is shared with the service while that runs.`;

/** Connects to the service's database for a command beside it, and leaves it as it was found. */
export async function withDatabase<Result>(
  config: Config,
  mayMake: boolean,
  use: (database: OpenDatabase) => Promise<Result>,
): Promise<Result> {
  const database = await joinDatabase(config, report, mayMake);
  try {
    await connectDatabase(database.uri);
    return await use(database);
  } finally {
    await disconnectDatabase();
    await database.stop();
  }
}

/** Says that the file system refuses the data folder; throws every other error as it is. */
export function refuseFolder(error: unknown): never {
  if (!(error instanceof Error && 'syscall' in error)) throw error;
  throw new StartupError('badConfiguration', `DATA_DIR cannot be used: ${error.message}.`);
}
