import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbedded } from 'counterfoil/database/embedded';
import { mongo } from 'mongoose';
import { findProgram } from './program.ts';

/** The admin key of every service of an experiment. */
export const key = `chaos-${randomUUID()}`;

/** What the service stores of a ticket, as far as experiments look at it. */
interface StoredTicket {
  _id: string;
  shortId: string;
  ticketNumber: number;
  claimedBy: string | null;
  closed: boolean;
  version: number;
  history: { type: string; commandId: string | null }[];
}

/** Makes a folder that is removed in the end. */
export async function ownFolder() {
  const path = await mkdtemp(join(tmpdir(), 'counterfoil-chaos-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A client of a database, with what experiments look at. */
export function openDatabase(uri: string) {
  const client = new mongo.MongoClient(uri, { readConcernLevel: 'majority' });
  const db = client.db();
  return {
    tickets: db.collection<StoredTicket>('tickets'),
    notes: db.collection<{ _id: string; ticketId: string }>('notes'),
    users: db.collection<{ _id: string; discordId: string }>('users'),
    [Symbol.asyncDispose]: () => client.close(),
  };
}

/** Runs a real mongod beside the services of an experiment: a replica set of one member, in a folder of its own. */
export async function startMember() {
  const folder = await ownFolder();
  const mongod = await findProgram();
  const { uri, stop } = await startEmbedded({ dataDir: folder.path, mongod, report: console.error });
  return {
    /** The address of a database on it. */
    uri(name: string): string {
      const own = new URL(uri);
      own.pathname = `/${name}`;
      return own.href;
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}
