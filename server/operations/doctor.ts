import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import mongoose, { type mongo } from 'mongoose';
import { type BadVariable, type Config, inspectEnvironment } from '../config.ts';
import { connectDatabase, disconnectDatabase, inTime } from '../database/connect.ts';
import { migrationState } from '../database/migrate.ts';
import { joinDatabase } from '../database/open.ts';
import { Key } from '../keys/model.ts';
// These make every model known to Mongoose.
import '../keys/rate-limit.ts';
import '../router.ts';
import { exitCodes, harmless, print, report, StartupError } from '../startup-error.ts';
import { redact } from './logger.ts';

type Status = 'ok' | 'warning' | 'problem';

/** What a check has found: one line, which says what to mend. */
interface Verdict {
  status: Status;
  message: string;
}

const ok = (message: string): Verdict => ({ status: 'ok', message });
const warning = (message: string): Verdict => ({ status: 'warning', message });
const problem = (message: string): Verdict => ({
  status: 'problem',
  message: redact(message.replace(/\s*\n\s*/g, ' ')),
});

/** What the checks of a database look at. None of them changes anything there. */
interface Subject {
  db: mongo.Db;
  config: Config;
  embedded: boolean;
}
type Check = (subject: Subject) => Promise<Verdict | Verdict[]>;

/** Milliseconds that the database gets to be reached, and a majority to confirm a write. */
const reachWait = 5000;
const majorityWait = 4000;

function checkConfiguration({ config, bad, isSet }: ReturnType<typeof inspectEnvironment>): Verdict[] {
  const found = bad.map(({ variable, message }: BadVariable) => problem(`${variable} ${message}`));
  if (!/^(localhost|127\..*|::1)$/.test(config.host)) {
    if (!isSet('TRUST_PROXY')) {
      const risk = 'behind a proxy, failed authorizations of all callers count as those of one';
      const advice = 'set it to the number of proxies in front, 0 for none';
      found.push(
        warning(`HOST ${config.host} is reached from outside, and TRUST_PROXY is not set: ${risk}; ${advice}`),
      );
    }
    if (config.limits.failedAuthLimit === null) {
      found.push(warning('FAILED_AUTH_LIMIT is 0: from outside, keys may be guessed without end; leave it out'));
    }
  }
  const database = config.mongodbUri === null ? `the embedded database in ${config.dataDir}` : 'MONGODB_URI';
  return found.length > 0 ? found : [ok(`HOST ${config.host}, PORT ${config.port}, ${database}`)];
}

/**
 * The first release of each line without CVE-2025-14847, by which anybody who reaches a MongoDB reads its memory. Lines
 * between them had ended before.
 */
const mended: Record<string, number> = { '6.0': 27, '7.0': 28, '8.0': 17, '8.2': 3 };
const newestLine = 8.2;

/** Whether a release of MongoDB is too old for the service, has a hole that anybody can use, or neither. */
export function judgeVersion(version: string): 'unfit' | 'hole' | 'fit' {
  const [line = '', release = ''] = [version.split('.').slice(0, 2).join('.'), version.split('.')[2]];
  if (Number(line) < 6) return 'unfit';
  if (Number(line) > newestLine) return 'fit';
  return Number.parseInt(release, 10) >= (mended[line] ?? Number.POSITIVE_INFINITY) ? 'fit' : 'hole';
}

async function checkVersion({ db, embedded }: Subject): Promise<Verdict> {
  const { version } = await db.admin().command({ buildInfo: 1 });
  const judgement = judgeVersion(version);
  if (judgement === 'unfit') return problem(`MongoDB ${version}; 6.0 or later is needed`);
  if (judgement === 'fit') return ok(`MongoDB ${version}`);
  if (embedded)
    return ok(`MongoDB ${version}, old, on the loopback address only: for more than trying out, MONGODB_URI`);
  const releases = Object.entries(mended).map(([line, release]) => `${line}.${release}`);
  const risk = 'whoever reaches it reads its memory without a password (CVE-2025-14847)';
  return warning(`MongoDB ${version}: ${risk}; install ${releases.join(', ')} or later`);
}

async function checkAccess({ db, embedded }: Subject): Promise<Verdict> {
  const { authInfo } = await db.admin().command({ connectionStatus: 1 });
  const [user] = authInfo.authenticatedUsers;
  if (user) return ok(`as the user ${user.user} of ${user.db}`);
  if (embedded) return ok('without a user, on the loopback address only');
  return warning('MONGODB_URI names no user: whoever reaches the database may read and change all; run it with --auth');
}

function collections({ db }: Subject): mongo.Collection<{ _id: string }>[] {
  return Object.values(mongoose.models).map(({ collection }) => db.collection(collection.name));
}

async function checkReading(subject: Subject): Promise<Verdict> {
  const read = collections(subject).map((each) => each.findOne({}, { projection: { _id: 1 } }));
  return ok(`${(await Promise.all(read)).length} collections, as a majority has them`);
}

async function checkWriting(subject: Subject): Promise<Verdict> {
  // An update of what does not exist writes nothing, but a majority has to confirm it all the same.
  const nothing = { _id: randomUUID() };
  const options = { writeConcern: { w: 'majority', wtimeoutMS: majorityWait } } as const;
  const written = collections(subject).map((each) => each.updateOne(nothing, { $set: { doctor: true } }, options));
  return ok(`${(await Promise.all(written)).length} collections, confirmed by a majority`);
}

async function checkTransactions({ db }: Subject): Promise<Verdict> {
  await db.client.withSession(async (session) => {
    session.startTransaction({ readConcern: { level: 'snapshot' } });
    try {
      await db.collection<{ _id: string }>('audit').insertOne({ _id: `doctor-${randomUUID()}` }, { session });
    } finally {
      await session.abortTransaction();
    }
  });
  return ok('one was begun, and taken back');
}

async function checkChangeStream({ db }: Subject): Promise<Verdict> {
  const stream = db.collection('keys').watch([], { maxAwaitTimeMS: 100 });
  try {
    await stream.tryNext();
  } finally {
    await stream.close();
  }
  return ok('revocations are heard of at once');
}

async function checkMigrations({ db }: Subject): Promise<Verdict> {
  const { refusal, empty } = await migrationState(db);
  if (refusal) return problem(refusal.message);
  return ok(empty ? 'the database is empty: the first start prepares it' : 'the data are of this version');
}

type Index = mongo.IndexDescriptionInfo | (mongo.IndexDescription & { name?: string });

const rulesOf = ({ unique = false, sparse = false, partialFilterExpression, expireAfterSeconds }: Index) => {
  return { unique: unique === true, sparse: sparse === true, partialFilterExpression, expireAfterSeconds };
};
const fieldsOf = ({ key }: Index) => JSON.stringify(key);

/** What keeps the indexes of a collection from being those of its model, in words. */
function compareIndexes(collection: string, wanted: readonly Index[], present: readonly Index[]): string[] {
  return wanted.flatMap((index) => {
    const found = present.find((other) => fieldsOf(other) === fieldsOf(index));
    if (!found) return `${collection} lacks ${fieldsOf(index)}`;
    if (isDeepStrictEqual(rulesOf(found), rulesOf(index))) return [];
    return `${collection} has ${fieldsOf(index)} with other rules (in mongosh: db.${collection}.dropIndex("${found.name}"))`;
  });
}

/** A database that waits for a migration lacks many at once. */
const indexesTold = 10;

async function checkIndexes({ db }: Subject): Promise<Verdict> {
  const { refusal, empty } = await migrationState(db);
  if (empty) return ok('none yet: the first start makes them');
  let count = 0;
  const wrong: string[] = [];
  for (const { collection, schema } of Object.values(mongoose.models)) {
    const wanted = schema.indexes().map(([key, options]) => ({ ...options, key }) as mongo.IndexDescription);
    const present = wanted.length > 0 ? await indexesOf(db.collection(collection.name)) : [];
    wrong.push(...compareIndexes(collection.name, wanted, present));
    count += wanted.length;
  }
  if (wrong.length === 0) return ok(`all ${count} are there`);
  const again = refusal ? '' : ' --again';
  const named = wrong.slice(0, indexesTold).join('; ');
  const more = wrong.length > indexesTold ? `; and ${wrong.length - indexesTold} more` : '';
  return problem(`${named}${more}; stop the service, then run: npx counterfoil migrate${again}`);
}

const namespaceNotFound = 26;

async function indexesOf(collection: mongo.Collection): Promise<mongo.IndexDescriptionInfo[]> {
  return collection.indexes().catch((error: mongo.MongoServerError) => {
    if (error.code === namespaceNotFound) return [];
    throw error;
  });
}

/** Milliseconds that the database's clock and this machine's may be apart. */
const clockTolerance = 1000;

/** When the database was asked for its time, what it said, and when the answer was there; milliseconds. */
export interface ClockReading {
  askedAt: number;
  said: number;
  answeredAt: number;
}

/** Milliseconds that the database's clock is ahead at the least, whatever part of the round trip each way took. */
export function clockDifference(readings: readonly ClockReading[]): number {
  const [quickest] = readings.toSorted((a, b) => a.answeredAt - a.askedAt - (b.answeredAt - b.askedAt));
  if (!quickest) return 0;
  const { askedAt, said, answeredAt } = quickest;
  return Math.max(0, said - answeredAt) + Math.min(0, said - askedAt);
}

async function checkClock({ db }: Subject): Promise<Verdict> {
  const readings: ClockReading[] = [];
  for (let round = 0; round < 5; round += 1) {
    const askedAt = Date.now();
    const { localTime } = await db.admin().command({ hello: 1 });
    readings.push({ askedAt, said: localTime.getTime(), answeredAt: Date.now() });
  }
  const difference = clockDifference(readings);
  if (Math.abs(difference) <= clockTolerance) return ok('that of the database, to the second');
  const which = difference > 0 ? 'ahead of' : 'behind';
  const seconds = (Math.abs(difference) / 1000).toFixed(1);
  const advice = 'cooldowns and expiries go by both: set both by NTP';
  return warning(`the clock of the database is ${seconds} s ${which} that of this machine; ${advice}`);
}

const day = 86_400_000;
/** Days before its end that a key is told of. */
const endsSoon = 14;

async function checkKeys({ config }: Subject): Promise<Verdict[]> {
  const now = new Date();
  const known = await Key.find({}, { secrets: 0 }).lean();
  const inForce = known.filter((key) => !key.revokedAt && (!key.expiresAt || key.expiresAt > now));
  const ending = inForce.flatMap(({ _id, name, expiresAt }) => {
    if (!expiresAt || expiresAt.getTime() > now.getTime() + endsSoon * day) return [];
    const advice = `make another and give it to who uses this one`;
    return warning(`${_id} "${name}" ends at ${expiresAt.toISOString()}: ${advice}`);
  });
  const admins = inForce.filter(({ scope }) => scope === 'admin');
  const make = 'make one: npx counterfoil keys create --name admin --scope admin';
  const count = `${inForce.length} in force, ${admins.length} of them of scope admin`;
  if (config.key !== undefined) return [ok(`${count}, and COUNTERFOIL_KEY`), ...ending];
  if (known.length === 0) return [ok('none yet: the first start makes an admin key')];
  if (admins.some(({ guildIds }) => guildIds === null)) return [ok(count), ...ending];
  if (admins.length > 0) return [warning(`${count}, none of these for all guilds; ${make}`), ...ending];
  return [problem(`no admin key is in force; ${make}`), ...ending];
}

const checks: Record<string, Check> = {
  version: checkVersion,
  access: checkAccess,
  reading: checkReading,
  writing: checkWriting,
  transactions: checkTransactions,
  'change stream': checkChangeStream,
  migrations: checkMigrations,
  indexes: checkIndexes,
  clock: checkClock,
  keys: checkKeys,
};

/** Why a check could not be made. Only what the database says is a finding; all else is a fault of this program. */
function failed(error: unknown): Verdict {
  if (!(error instanceof Error && (error instanceof mongoose.mongo.MongoError || error instanceof mongoose.Error))) {
    throw error;
  }
  const unauthorized = 'code' in error && error.code === 13;
  return problem(`${error.message}${unauthorized ? '; give the user of MONGODB_URI the role readWrite on it' : ''}`);
}

/** Connects; answers what it came to, and whether it can be gone on with. */
async function reach(uri: string): Promise<{ verdict: Verdict; reached: boolean }> {
  try {
    await connectDatabase(uri, undefined, reachWait);
    const { setName, hosts } = await mongoose.connection.getClient().db('admin').command({ hello: 1 });
    const members = setName ? `replica set "${setName}", members: ${hosts.length}` : 'a sharded cluster';
    return { verdict: ok(`${redact(uri)}: ${members}`), reached: true };
  } catch (error) {
    if (!(error instanceof StartupError)) return { verdict: failed(error), reached: false };
    return { verdict: problem(error.message), reached: error.exitCode === exitCodes.standaloneDatabase };
  }
}

type Tell = (check: string, verdicts: Verdict | Verdict[]) => void;

async function examineDatabase(config: Config, tell: Tell): Promise<void> {
  const database = await joinDatabase(config, report, false).catch((error: unknown) => {
    if (!(error instanceof StartupError)) throw error;
    tell('database', problem(error.message));
  });
  if (!database) return;
  try {
    const { verdict, reached } = await reach(database.uri);
    tell('database', verdict);
    const { db } = mongoose.connection;
    if (!reached || !db) return;
    const subject = { db, config, embedded: config.mongodbUri === null };
    for (const [name, check] of Object.entries(checks)) tell(name, await inTime(check(subject)).catch(failed));
  } finally {
    await disconnectDatabase();
    await database.stop();
  }
}

/** The variables without which it is not known where the database is. */
const ofDatabase = ['MONGODB_URI', 'DATA_DIR', 'MONGOD_BINARY'];

/** Makes every check that can be made, changes nothing, and answers the exit code: 1 where there is a problem. */
export async function doctor({ json }: { json?: true }): Promise<number> {
  const found: ({ check: string } & Verdict)[] = [];
  const tell: Tell = (check, verdicts) => {
    for (const { status, message } of [verdicts].flat()) found.push({ check, status, message: harmless(message) });
  };
  const environment = inspectEnvironment();
  tell('configuration', checkConfiguration(environment));
  const known = !environment.bad.some(({ variable }) => ofDatabase.includes(variable));
  if (known) await examineDatabase(environment.config, tell);
  const isWell = found.every(({ status }) => status !== 'problem');
  const lines = found.map(({ check, status, message }) => `${status.padEnd(7)}  ${check.padEnd(13)}  ${message}`);
  await print(json ? JSON.stringify({ ok: isWell, checks: found }) : lines.join('\n'));
  return isWell ? 0 : 1;
}
