import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mongo } from 'mongoose';
import { freePort } from '../mongod.ts';
import { until } from '../server-process.ts';
import { findProgram } from './program.ts';

const replicaSet = 'chaos';
/** Milliseconds without a sign of life after which the others elect another primary. */
const electionTimeoutMillis = 2000;

/** A mongod that can be killed, stopped and started again on its own folder. */
export interface Member {
  host: string;
  isRunning(): boolean;
  /** kill -9. */
  kill(): Promise<void>;
  start(): void;
  /** Stops it without ending it; what arrives waits. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Runs a command on this very member. */
  run(command: mongo.Document): Promise<mongo.Document>;
}

function createMember(program: string, folder: string, port: number): Member {
  const host = `127.0.0.1:${port}`;
  const args = ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--quiet'];
  args.push('--replSet', replicaSet, '--wiredTigerCacheSizeGB', '0.25', '--oplogSize', '256');
  args.push('--logpath', `${folder}.log`, '--logappend');
  // The failpoints of the negative control.
  args.push('--setParameter', 'enableTestCommands=1');
  const client = new mongo.MongoClient(`mongodb://${host}/?directConnection=true`, {
    serverSelectionTimeoutMS: 1000,
    connectTimeoutMS: 1000,
    socketTimeoutMS: 2000,
  });
  let child: ChildProcess | undefined;
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null;
  const end = () => void child?.kill('SIGKILL');
  process.on('exit', end);
  return {
    host,
    isRunning,
    async kill() {
      if (!child || !isRunning()) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    start() {
      child = spawn(program, args, { stdio: 'ignore' });
    },
    async freeze() {
      child?.kill('SIGSTOP');
      await until(async () => /^State:\sT/m.test(await readFile(`/proc/${child?.pid}/status`, 'utf8')));
    },
    thaw: () => void child?.kill('SIGCONT'),
    async run(command) {
      // A client whose first connection failed is closed: only connect() opens it again.
      await client.connect();
      return client.db('admin').command(command);
    },
  };
}

/** What a member says of itself; null where it is away. */
const helloOf = (member: Member) => member.run({ hello: 1 }).catch(() => null);

/** A replica set of three members on the loopback address. */
async function startCluster() {
  const folder = await mkdtemp(join(tmpdir(), 'counterfoil-chaos-'));
  const program = await findProgram();
  const members: Member[] = [];
  for (const name of ['a', 'b', 'c']) {
    await mkdir(join(folder, name));
    members.push(createMember(program, join(folder, name), await freePort()));
  }
  // After the members' own handlers, which end them.
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.on('exit', remove);
  for (const member of members) member.start();
  await until(async () => (await Promise.all(members.map(helloOf))).every(Boolean), 60_000);
  await members[0]?.run({
    replSetInitiate: {
      _id: replicaSet,
      members: members.map(({ host }, _id) => ({ _id, host })),
      settings: { electionTimeoutMillis },
    },
  });

  /** The member that takes writes now. */
  async function primary(): Promise<Member | null> {
    for (const member of members.filter((one) => one.isRunning())) {
      if ((await helloOf(member))?.isWritablePrimary) return member;
    }
    return null;
  }

  /** Waits until every member is up and there is a primary that a majority follows. */
  async function heal(): Promise<void> {
    for (const member of members) {
      if (!member.isRunning()) member.start();
      member.thaw();
    }
    await until(async () => {
      const hellos = await Promise.all(members.map(helloOf));
      const isWhole = hellos.every((hello) => hello?.isWritablePrimary || hello?.secondary);
      return isWhole && hellos.filter((hello) => hello?.isWritablePrimary).length === 1;
    }, 120_000);
  }

  await heal();
  return {
    members,
    primary,
    heal,
    uri: (database: string) =>
      `mongodb://${members.map(({ host }) => host).join(',')}/${database}?replicaSet=${replicaSet}`,
    /** kill -9 of the primary, once there is one; answers which it was. */
    async killPrimary(): Promise<Member> {
      let found: Member | null = null;
      await until(async () => {
        found = await primary();
        return found !== null;
      }, 60_000);
      const killed = found as unknown as Member;
      await killed.kill();
      return killed;
    },
    /** Counts elections from now on: each primary that was elected has an electionId of its own. */
    async countElections() {
      const seen = new Set<string>();
      const look = async () => {
        for (const hello of await Promise.all(members.filter((one) => one.isRunning()).map(helloOf))) {
          if (hello?.isWritablePrimary) seen.add(String(hello.electionId));
        }
      };
      await look();
      const before = seen.size;
      const timer = setInterval(look, 250);
      return {
        count: () => seen.size - before,
        stop: () => clearInterval(timer),
      };
    },
    async stop() {
      await Promise.all(members.map((member) => member.kill()));
      remove();
    },
  };
}

export type Cluster = Awaited<ReturnType<typeof startCluster>>;

let shared: Promise<Cluster> | null = null;

/** The replica set of this process, whole: it is started once, and mended after each experiment. */
export async function wholeCluster(): Promise<Cluster> {
  shared ??= startCluster();
  const cluster = await shared;
  await cluster.heal();
  return cluster;
}

/** Ends the replica set of this process. */
export async function stopCluster(): Promise<void> {
  const cluster = await shared;
  shared = null;
  await cluster?.stop();
}
