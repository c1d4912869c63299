import { mkdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findMongod } from 'counterfoil/database/mongod';
import { MongoMemoryReplSet } from 'mongodb-memory-server';
import type { TestProject } from 'vitest/node';
import { folder as leaks } from './leaks/search.ts';

declare module 'vitest' {
  interface ProvidedContext {
    mongod: string;
    mongodbUri: string;
  }
}

/** Starts the one database of the whole run: a real mongod, the same program that the service would find. */
export default async function setup(project: TestProject) {
  await rm(leaks, { recursive: true, force: true });
  await mkdir(leaks, { recursive: true });
  const { MONGOD_BINARY: mongodBinary, PATH: path = '', XDG_CACHE_HOME } = process.env;
  const cacheDir = join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'counterfoil');
  const mongod = await findMongod({ mongodBinary, path, cacheDir, report: console.error });
  process.env.MONGOMS_SYSTEM_BINARY_VERSION_CHECK = 'false';
  const database = await MongoMemoryReplSet.create({
    replSet: { count: 1, storageEngine: 'wiredTiger' },
    binary: { systemBinary: mongod },
  });
  project.provide('mongod', mongod);
  project.provide('mongodbUri', database.getUri('counterfoil'));
  return async () => {
    await database.stop();
  };
}
