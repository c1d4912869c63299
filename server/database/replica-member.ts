import { setTimeout as sleep } from 'node:timers/promises';
import { mongo } from 'mongoose';

export const replicaSet = 'counterfoil';

const notYetInitialized = 94;
const alreadyInitialized = 23;

/** Makes the mongod at `host` the writable primary of a replica set of its own, under this very address. */
export async function becomeWritable(client: mongo.MongoClient, host: string): Promise<void> {
  try {
    const admin = client.db('admin');
    await configure(admin, host);
    while (!(await admin.command({ hello: 1 })).isWritablePrimary) await sleep(20);
  } catch (error) {
    if (!passes(error)) throw error;
    await sleep(20);
    await becomeWritable(client, host);
  }
}

async function configure(admin: mongo.Db, host: string): Promise<void> {
  const config = await readConfig(admin);
  const members = [{ ...config?.members[0], _id: 0, host }];
  if (!config) {
    await admin.command({ replSetInitiate: { _id: replicaSet, members } });
  } else if (config.members[0].host !== host) {
    await admin.command({ replSetReconfig: { ...config, members }, force: true });
  }
}

/** A member that still reads its own config calls itself not initialized, and hangs up when its state changes. */
function passes(error: unknown): boolean {
  if (error instanceof mongo.MongoNetworkError) return true;
  return error instanceof mongo.MongoServerError && error.code === alreadyInitialized;
}

async function readConfig(admin: mongo.Db): Promise<mongo.BSON.Document | undefined> {
  try {
    return (await admin.command({ replSetGetConfig: 1 })).config;
  } catch (error) {
    if (error instanceof mongo.MongoServerError && error.code === notYetInitialized) return undefined;
    throw error;
  }
}
