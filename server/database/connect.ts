import mongoose, { mongo } from 'mongoose';
import { redact } from '../operations/logger.ts';
import { StartupError } from '../startup-error.ts';

/** Milliseconds that a start waits for the database, that a request waits for a server, and for all it asks of it. */
const startWait = 30_000;
const serverWait = 5_000;
const requestWait = 5_500;
/** Milliseconds after which an erasure answers that more is left to do. */
export const erasureBudget = 2_500;
/** Milliseconds that the end of the process waits for a database that is frozen. */
export const goodbyeWait = 2_000;

mongoose.set('strictQuery', 'throw');
mongoose.set('sanitizeFilter', true);
mongoose.set('autoIndex', false);
mongoose.set('autoCreate', false);
mongoose.set('bufferCommands', false);

/** Until when a server was known that takes writes. */
let writableUntil = Number.NEGATIVE_INFINITY;

/** Whether a write that began at `startedAt` (as of performance.now()) can have been sent. */
export function mayHaveSent(startedAt: number): boolean {
  return writableUntil >= startedAt;
}

/** Ends the wait for a database that is frozen, and not gone: throws a MongoOperationTimeoutError. */
export async function inTime<T>(work: Promise<T>, milliseconds = requestWait): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new mongo.MongoOperationTimeoutError(`No answer within ${milliseconds} ms`));
    timer = setTimeout(fail, milliseconds);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Connects Mongoose, with majority writes and majority reads of the primary; `watch` sees the client before it connects.
 * Throws a StartupError where the database is away for `patience` milliseconds, refuses us, or is no replica set.
 */
export async function connectDatabase(
  uri: string,
  watch?: (client: mongo.MongoClient) => void,
  patience = startWait,
): Promise<void> {
  try {
    const client = new mongo.MongoClient(uri, {
      appName: 'counterfoil',
      serverSelectionTimeoutMS: serverWait,
      connectTimeoutMS: serverWait,
      readPreference: 'primary',
      // By their flat names, which win over what MONGODB_URI says.
      readConcernLevel: 'majority',
      w: 'majority',
      journal: true,
      wtimeoutMS: 0,
      retryWrites: true,
    });
    client.on('topologyDescriptionChanged', ({ newDescription: { servers } }) => {
      const writable = [...servers.values()].some(({ type }) => type === 'RSPrimary' || type === 'Mongos');
      writableUntil = writable ? Number.POSITIVE_INFINITY : Math.min(writableUntil, performance.now());
    });
    watch?.(client);
    await connectPatiently(client, patience);
    mongoose.connection.setClient(client);
    await requireReplicaSet(client);
  } catch (error) {
    throw error instanceof StartupError ? error : unreachable(uri, error);
  }
}

async function connectPatiently(client: mongo.MongoClient, patience: number): Promise<void> {
  const giveUpAt = performance.now() + patience - serverWait / 2;
  for (;;) {
    try {
      await client.connect();
      return;
    } catch (error) {
      if (!(error instanceof mongo.MongoServerSelectionError) || performance.now() > giveUpAt) throw error;
    }
  }
}

function unreachable(uri: string, error: unknown): StartupError {
  // The parser of connection strings throws a MongoParseError of its own.
  if (error instanceof mongo.MongoDriverError || (error instanceof Error && error.name === 'MongoParseError')) {
    return new StartupError('badConfiguration', `MONGODB_URI is not valid: ${redact(error.message)}`);
  }
  return new StartupError(
    'databaseUnreachable',
    `MongoDB could not be used: ${redact(error instanceof Error ? error.message : String(error))}\n` +
      `MONGODB_URI is ${redact(uri)}. Is it running, may this machine reach every member by the name that the ` +
      'replica set gives it, and are user, password and replicaSet right?',
  );
}

async function requireReplicaSet(client: mongo.MongoClient): Promise<void> {
  const hello = await client.db('admin').command({ hello: 1 });
  if (hello.setName || hello.msg === 'isdbgrid') return;
  throw new StartupError(
    'standaloneDatabase',
    'MONGODB_URI names a standalone mongod; a replica set is needed, of one member at least. Start mongod with ' +
      '--replSet, run rs.initiate() once in mongosh, and add ?replicaSet=<name> to MONGODB_URI.',
  );
}

/** Asks the database for a sign of life; throws where none comes in time. */
export async function pingDatabase(milliseconds: number): Promise<void> {
  await inTime(mongoose.connection.getClient().db('admin').command({ ping: 1 }), milliseconds);
}

/** Ends the connection. */
export async function disconnectDatabase(): Promise<void> {
  await inTime(mongoose.disconnect(), goodbyeWait).catch(() => {});
}
