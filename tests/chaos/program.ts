import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { readConfig } from 'counterfoil/config';
import { findMongod } from 'counterfoil/database/mongod';

/** The mongod that the experiments run: the one that the service itself would find. */
export function findProgram(): Promise<string> {
  return findMongod({ ...readConfig(), report: console.error });
}

/** The version of a mongod. */
export async function versionOf(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['--version']);
  return /db version v(\S+)/.exec(stdout)?.[1] ?? 'unknown';
}
