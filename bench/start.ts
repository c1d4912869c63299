/**
 * Measures how long the service and two of the servers written by hand take from their start to the first answer, with a
 * database at hand, and how much memory they have while nobody asks: from source, and as they are built.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { root } from '../tests/server-process.ts';
import { buildPeer, buildService } from './build.ts';
import { connect, requestOf, succeed } from './connection.ts';
import { ours, peers } from './contestants.ts';
import { prepare, startDatabase } from './database.ts';
import { load, memoryOf, processorTimeOf } from './measure.ts';
import { writeSection } from './page.ts';
import { commandOf, describeMachine, middle, spread } from './report.ts';
import { nodeOptions, runBench } from './service.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    // Seconds after which the memory is looked at once more, of all at the same time.
    idle: { type: 'string', default: '60' },
    // The folder that the page and the figures are written to.
    out: { type: 'string', default: 'docs' },
  },
});
const [rounds, idle] = [Number(values.rounds), Number(values.idle)];

const fromSource = ['--import', 'tsx'];

/** What takes part, and the arguments of Node that start it. */
interface Program {
  name: string;
  args: string[];
}

/** Builds the service and peers; what is compared, from source and built. */
async function buildAll(): Promise<Program[]> {
  const programs: Program[] = [
    { name: `${ours}, from source`, args: [...fromSource, 'server/main.ts'] },
    { name: `${ours}, as published`, args: await buildService() },
  ];
  for (const { name, file } of peers.filter((peer) => ['A', 'D'].includes(peer.name))) {
    programs.push({ name: `${name}, from source`, args: [...fromSource, `bench/peers/${file}.ts`] });
    programs.push({ name: `${name}, built`, args: await buildPeer(file) });
  }
  return programs;
}

/** Starts a program, and waits until it has answered a read. */
async function start({ name, args }: Program, env: Record<string, string>, read: string) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', PORT: '0', NODE_OPTIONS: nodeOptions, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  const port = await new Promise<number>((resolve, reject) => {
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        said += chunk;
        const [, port] = /listen(?:s|ing) on (?:http:\/\/.*:)?(\d+)/.exec(said) ?? [];
        if (port !== undefined) resolve(Number(port));
      });
    }
    void ended.then(([code]) => reject(new Error(`${name} ended with ${code}: ${said}`)));
  });
  const connection = connect(port);
  await succeed(connection, read);
  const milliseconds = performance.now() - startedAt;
  connection.close();
  return {
    name,
    milliseconds,
    processorTime: (await processorTimeOf(child.pid)) * 1000,
    memory: () => memoryOf(child.pid),
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}

const wait = (seconds: number) => new Promise((done) => setTimeout(done, seconds * 1000));

await runBench(async (own) => {
  const command = commandOf('bench:start');
  console.log(command);
  const startedAt = new Date().toISOString();
  const programs = await buildAll();
  const database = own(await startDatabase());
  const { shortIds, key } = await prepare(database, 1000);
  const read = requestOf(key, 'GET', `/tickets/get/id/${shortIds[0]}`);
  const env = { MONGODB_URI: database.uri };
  const found = programs.map((program) => ({
    program,
    milliseconds: [] as number[],
    processorTime: [] as number[],
    memory: [] as number[],
    memoryLater: 0,
  }));
  for (let round = 0; round < rounds; round += 1) {
    for (const place of found.keys()) {
      const figures = found[(place + round) % found.length];
      if (!figures) continue;
      await using running = await start(figures.program, env, read);
      await wait(1);
      figures.milliseconds.push(running.milliseconds);
      figures.processorTime.push(running.processorTime);
      figures.memory.push(await running.memory());
    }
    console.log(`round ${round + 1} of ${rounds}; ${load()}`);
  }
  const started = [];
  for (const { program } of found) started.push(own(await start(program, env, read)));
  await wait(idle);
  for (const [place, figures] of found.entries()) figures.memoryLater = (await started[place]?.memory()) ?? Number.NaN;

  const figures = found.map(({ program, milliseconds, processorTime, memory, memoryLater }) => ({
    name: program.name,
    milliseconds: middle(milliseconds),
    processorTime: middle(processorTime),
    memory: middle(memory),
    memoryLater,
  }));
  const head = ['server', 'first answer, ms', 'CPU until then, ms', 'MiB after 1 s', `MiB after ${idle} s`];
  const rows = figures.map(({ name, milliseconds, processorTime, memory, memoryLater }) => [
    name,
    ...[milliseconds, processorTime, memory].map((value) => spread(value, 0)),
    memoryLater.toFixed(0),
  ]);
  for (const row of [head, ...rows]) console.log(row.map((cell) => cell.padEnd(26)).join(''));
  const { version } = await database.client.db('admin').command({ serverStatus: 1 });
  await writeSection(values.out, 'start', {
    title: 'Start and idle memory',
    command,
    startedAt,
    machine: describeMachine(version, false),
    text: [
      `From the start of the process to its first answer to a read, with a database at hand (\`MONGODB_URI\`), and the memory in RAM
a second after that answer and after ${idle} s in which nobody asked. ${rounds} rounds, in each of which every server starts
once, in an order that changes: medians, with the range of the middle half. "From source" is by tsx, as \`npm start\` does;
"built" is plain JavaScript in a few files, with the libraries beside them.`,
    ],
    tables: [{ head, rows }],
    figures,
  });
  return true;
});
