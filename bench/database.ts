import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from 'counterfoil/config';
import { startEmbedded } from 'counterfoil/database/embedded';
import { findMongod } from 'counterfoil/database/mongod';
import type { KeyRecord } from 'counterfoil/keys/model';
import { hashKey, makeKey } from 'counterfoil/keys/secret';
import type { TicketRecord } from 'counterfoil/tickets/model';
import { mongo } from 'mongoose';
import { runCli } from '../tests/server-process.ts';
import { fill, secondsSince } from './sides.ts';

export type Tickets = mongo.Collection<TicketRecord>;
export type Database = Awaited<ReturnType<typeof startDatabase>>;

/** Runs a mongod of its own in a new folder, which is removed with it. */
export async function startDatabase() {
  const folder = await mkdtemp(join(tmpdir(), 'counterfoil-bench-'));
  const report = (text: string) => console.error(text);
  const mongod = await findMongod({ ...readConfig(), report });
  const database = await startEmbedded({ dataDir: folder, mongod, report });
  const client = await new mongo.MongoClient(database.uri, { w: 1, journal: false }).connect();
  return {
    ...database,
    client,
    async [Symbol.asyncDispose]() {
      await client.close();
      await database.stop();
      await rm(folder, { recursive: true });
    },
  };
}

/** Fills a database with tickets, migrates it as an operator would, and stores one key. */
export async function prepare({ client, uri }: Database, count: number) {
  const startedAt = performance.now();
  const tickets: Tickets = client.db().collection<TicketRecord>('tickets');
  await fill(tickets, 1, count);
  const shortIds = await tickets
    .find({}, { projection: { _id: 0, shortId: 1 } })
    .map(({ shortId }) => shortId)
    .toArray();
  const { code, stderr } = await runCli(['migrate'], { MONGODB_URI: uri });
  if (code !== 0) throw new Error(`counterfoil migrate ended with ${code}: ${stderr}`);
  const { keyId, key } = makeKey();
  await client
    .db()
    .collection<KeyRecord>('keys')
    .insertOne({
      _id: keyId,
      name: 'benchmark',
      scope: 'write',
      guildIds: null,
      secrets: [{ hash: hashKey(key), validUntil: null }],
      rateLimit: null,
      createdAt: new Date(),
      expiresAt: null,
      lastUsedAt: null,
      revokedAt: null,
    });
  console.log(`${shortIds.length} tickets inserted and indexed in ${secondsSince(startedAt)}`);
  return { tickets, shortIds, key, keyId };
}
