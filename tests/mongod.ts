import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { becomeWritable, replicaSet } from 'counterfoil/database/replica-member';
import { mongo } from 'mongoose';
import { inject } from 'vitest';
import { until } from './server-process.ts';

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}

/** Runs a mongod that a test may stop, kill and make fail: a replica set of one member, or a standalone. */
export async function startMongod({ standalone = false, program = inject('mongod') } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'counterfoil-mongod-'));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const args = ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--quiet'];
  args.push('--setParameter', 'enableTestCommands=1');
  let child: ChildProcess;

  async function start() {
    child = spawn(program, standalone ? args : [...args, '--replSet', replicaSet], { stdio: 'ignore' });
    const client = new mongo.MongoClient(`mongodb://${host}/?directConnection=true`);
    await client.connect();
    if (!standalone) await becomeWritable(client, host);
    await client.close();
  }

  async function kill() {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  await start();
  return {
    uri: `mongodb://${host}/counterfoil${standalone ? '' : `?replicaSet=${replicaSet}`}`,
    kill,
    /** Starts it again on the same port and data. */
    restart: start,
    /** Starts it again so that it asks for a user and a password, and makes that user with these roles. */
    async protect(user: string, pwd: string, roles: string[]) {
      const keyFile = join(folder, 'member-key');
      await writeFile(keyFile, 'counterfoil', { mode: 0o400 });
      const client = new mongo.MongoClient(`mongodb://${host}/?directConnection=true`);
      await client.db('counterfoil').command({ createUser: user, pwd, roles });
      await kill();
      child = spawn(inject('mongod'), [...args, '--replSet', replicaSet, '--auth', '--keyFile', keyFile], {
        stdio: 'ignore',
      });
      const hello = () =>
        client
          .db('admin')
          .command({ hello: 1 })
          .catch(() => null);
      await until(async () => (await hello())?.isWritablePrimary === true, 30_000);
      await client.close();
    },
    /** Stops it without ending it; what arrives waits. */
    async freeze() {
      child.kill('SIGSTOP');
      await until(async () => /^State:\sT/m.test(await readFile(`/proc/${child.pid}/status`, 'utf8')));
    },
    thaw: () => child.kill('SIGCONT'),
    /** Makes these commands fail as a failpoint of mongod can (https://github.com/mongodb/mongo/wiki/The-failCommand-fail-point), or none again. */
    async fail(
      failCommands: string[],
      how: {
        errorCode?: number;
        writeConcernError?: object;
        namespace?: string;
        blockConnection?: boolean;
        blockTimeMS?: number;
      } = {},
    ) {
      const client = new mongo.MongoClient(`mongodb://${host}/?directConnection=true`);
      const mode = failCommands.length > 0 ? 'alwaysOn' : 'off';
      await client.db('admin').command({ configureFailPoint: 'failCommand', mode, data: { failCommands, ...how } });
      await client.close();
    },
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(folder, { recursive: true });
    },
  };
}
