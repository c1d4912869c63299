/** Imports many tickets, exports them, and both again on an empty service: `node --import tsx bench/transfer.ts [count]`. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../server/config.ts';
import { startEmbedded } from '../server/database/embedded.ts';
import { findMongod } from '../server/database/mongod.ts';

const count = Number(process.argv[2] ?? 100_000);
const program = fileURLToPath(new URL('../server/bin/counterfoil.js', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'counterfoil-transfer-'));
const mongod = await findMongod({ ...readConfig(), report: console.error });
const id = (kind: number, number: number) => `${kind}${String(number).padStart(17, '0')}`;
const at = (minute: number) => new Date(Date.UTC(2025, 0, 1, 0, minute)).toISOString();

/** A ticket in one of 50 guilds with 4 changes; every hundredth has 60, and every tenth a note. */
function ticket(number: number) {
  const changes = number % 100 === 0 ? 60 : 4;
  const entry = (place: number) => ({
    seq: place + 1,
    type: place === 0 ? 'create' : 'update',
    at: at(number + place),
    actorId: id(8, number % 5000),
    keyId: 'benchkey',
    commandId: null,
    inputHash: null,
    before: place === 0 ? null : { priority: 'normal' },
    after: { priority: 'high' },
  });
  return {
    kind: 'ticket',
    ticketNumber: number + 1,
    ticketType: 'support',
    guildId: id(7, number % 50),
    ticketOwner: id(8, number % 5000),
    ticketData: { topic: `An order that did not arrive, number ${number}`, text: 'What happened to it? '.repeat(10) },
    claimedBy: id(9, number % 40),
    status: number % 3 === 0 ? 'open' : 'closed',
    createdAt: at(number),
    version: changes,
    history: Array.from({ length: changes }, (_, place) => entry(place)),
    claimIntervals: [],
    notes: number % 10 === 0 ? [{ authorId: id(9, 1), text: 'Asked the shop.', createdAt: at(number) }] : [],
  };
}

/** Runs the program on a database, and says how long it took and how much memory it had at most. */
async function run(what: string, uri: string, ...args: string[]) {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, MONGODB_URI: uri },
    stdio: ['ignore', 'inherit', 'ignore'],
  });
  let peak = 0;
  const watch = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
    peak = Math.max(peak, Number(/^VmHWM:\s*(\d+)/m.exec(status)?.[1] ?? 0));
  }, 100);
  const [code] = await once(child, 'exit');
  clearInterval(watch);
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`${what}: ${seconds.toFixed(1)} s, ${(peak / 1024).toFixed(0)} MiB at most, exit code ${code}`);
}

async function hash(path: string): Promise<string> {
  const sum = createHash('sha256');
  await pipeline(createReadStream(path), sum);
  return sum.digest('hex');
}

const [old, first, second, snapshot] = ['old', 'first', 'second', 'snapshot'].map((name) => join(folder, name));
const lines = Readable.from(
  (function* () {
    for (let number = 0; number < count; number += 1) yield `${JSON.stringify(ticket(number))}\n`;
  })(),
);
await pipeline(lines, createWriteStream(`${old}`));
const one = await startEmbedded({ dataDir: join(folder, 'one'), mongod, report: console.error });
await run(`import of ${count} old tickets`, one.uri, 'import', `${old}`);
await run('import of them again', one.uri, 'import', `${old}`);
await run('export', one.uri, 'export', '--output', `${first}`);
await run('export --snapshot', one.uri, 'export', '--snapshot', '--output', `${snapshot}`);
await one.stop();
const other = await startEmbedded({ dataDir: join(folder, 'other'), mongod, report: console.error });
await run('import into an empty service', other.uri, 'import', `${first}`);
await run('export again', other.uri, 'export', '--output', `${second}`);
await other.stop();
const hashes = await Promise.all([first, second, snapshot].map((path) => hash(`${path}`)));
const { size } = await stat(`${first}`);
console.log(
  `${(size / 2 ** 20).toFixed(0)} MiB, ${new Set(hashes).size === 1 ? 'identical bytes' : 'DIFFERENT bytes'}`,
);
await rm(folder, { recursive: true });
