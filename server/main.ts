import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createApp } from './app.ts';
import { type Config, readConfig } from './config.ts';
import { connectDatabase, disconnectDatabase, goodbyeWait, inTime } from './database/connect.ts';
import { prepareDatabase } from './database/migrate.ts';
import { openDatabase, refuseFolder } from './database/open.ts';
import { createHttpServer, drain, listen } from './http/server.ts';
import { acceptEnvironmentKey } from './keys/authenticate.ts';
import { makeFirstKey } from './keys/first-key.ts';
import { watchKeys } from './keys/known.ts';
import { storeUsesRegularly } from './keys/last-used.ts';
import { limitLoad } from './operations/load.ts';
import { createLogger } from './operations/logger.ts';
import { createMetrics } from './operations/metrics.ts';
import { report, runToEnd, StartupError } from './startup-error.ts';

/** The file that keeps the first key of an embedded database; null for a database elsewhere. */
function keyFile({ mongodbUri, dataDir }: Config): string | null {
  return mongodbUri === null ? join(dataDir, 'admin-key') : null;
}

/** How a shell on this machine writes the key that the operator has. */
function keyForShell(config: Config, firstKey: string | null): string {
  if (firstKey !== null) return firstKey;
  if (config.key !== undefined) return '$COUNTERFOIL_KEY';
  const file = keyFile(config);
  return file !== null && existsSync(file) ? `$(cat '${file.replaceAll("'", `'\\''`)}')` : '<your key>';
}

function greet(config: Config, address: string, firstKey: string | null): void {
  report(`\nCounterfoil listens on ${address} — the API's page: ${address}/docs\n`);
  if (firstKey !== null) {
    const file = keyFile(config);
    report(`Your admin key, shown this once${file ? ` and kept in ${file}` : ''}:\n  ${firstKey}\n`);
  }
  const authorization = `Authorization: ${keyForShell(config, firstKey)}`;
  const ticket = '{"ticketType":"support","guildId":"123456789012345678","ticketOwner":"876543210987654321"}';
  report(
    `Create a ticket:\n  curl "${address}/tickets/create" -H "${authorization}"` +
      ` -H "Content-Type: application/json" -d '${ticket}'\n`,
  );
}

/** Resolves with the first signal to end. Later ones are ignored: under npm, Ctrl-C arrives twice. */
function signalToEnd(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => process.on('SIGTERM', resolve).on('SIGINT', resolve));
}

/** Serves until a signal arrives or `databaseClosed` resolves; then every accepted request is still answered. */
async function serve(config: Config, uri: string, databaseClosed: Promise<unknown>): Promise<void> {
  const logger = createLogger(config.logLevel);
  const metrics = createMetrics();
  await connectDatabase(uri, metrics.watchPool);
  await prepareDatabase({ mayMigrate: config.mongodbUri === null, report });
  acceptEnvironmentKey(config.key);
  const state = { draining: false };
  limitLoad(config.maxConcurrentCalls);
  const stopWatching = watchKeys(logger);
  const stopStoring = storeUsesRegularly();
  const { limits, corsOrigins } = config;
  const server = createHttpServer(
    createApp({ logger, metrics, isDraining: () => state.draining, limits, corsOrigins }),
  );
  const address = await listen(server, config.port, config.host);
  const ended = Promise.race([signalToEnd(), databaseClosed.then(() => null)]);
  let signal: NodeJS.Signals | null = null;
  try {
    const firstKey = config.key === undefined ? await makeFirstKey((key) => keepKey(config, key)) : null;
    greet(config, address, firstKey);
    signal = await ended;
  } finally {
    state.draining = true;
    await drain(server, { noticeMs: signal === 'SIGTERM' ? 1000 : 0 });
    await inTime(Promise.all([stopWatching(), stopStoring()]), goodbyeWait).catch(() => {});
  }
  if (signal === null) {
    throw new StartupError(
      'mongodFailed',
      'The embedded MongoDB ended by itself; mongod.log in the data folder may say why. Start again.',
    );
  }
}

/** Keeps the first key of an embedded database where only its owner can read it. */
async function keepKey(config: Config, key: string): Promise<void> {
  const file = keyFile(config);
  if (file === null) return;
  await rm(file, { force: true }).catch(refuseFolder);
  await writeFile(file, `${key}\n`, { mode: 0o600 }).catch(refuseFolder);
}

async function main(): Promise<number> {
  const config = readConfig();
  const database = await openDatabase(config, report);
  try {
    await serve(config, database.uri, database.closed);
    return 0;
  } finally {
    await disconnectDatabase();
    await database.stop();
  }
}

runToEnd(main());
