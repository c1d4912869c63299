import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { runServer } from 'verdaccio';
import { root } from './server-process.ts';

const exec = promisify(execFile);

/** Runs a program to its end, and answers what it wrote; throws where it fails. */
export async function run(program: string, args: string[], options: { cwd: string; env?: NodeJS.ProcessEnv }) {
  try {
    return (await exec(program, args, { maxBuffer: 64 * 1024 * 1024, ...options })).stdout;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

/** What npm hands to the scripts that it runs would change what npm does in them. */
const outsideNpm = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)));

/**
 * Runs a real registry on loopback, which hands on what others have published. That is kept in `.cache` for the next run;
 * what was published to it is not.
 */
export async function startRegistry() {
  const storage = join(root, '.cache', 'registry');
  for (const own of ['@counterfoil', 'counterfoil']) await rm(join(storage, own), { recursive: true, force: true });
  await mkdir(storage, { recursive: true });
  const upstream = (await run('npm', ['config', 'get', 'registry'], { cwd: root })).trim();
  const own = { access: '$all', publish: '$all' };
  const server: Server = await runServer({
    self_path: storage,
    storage,
    uplinks: { upstream: { url: upstream, maxage: '1d', timeout: '60s' } },
    packages: { '@counterfoil/*': own, counterfoil: own, '**': { access: '$all', proxy: 'upstream' } },
    log: { type: 'stdout', format: 'pretty', level: 'fatal' },
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/`;

  const folder = await mkdtemp(join(tmpdir(), 'counterfoil-registry-'));
  const userconfig = join(folder, 'npmrc');
  // npm publishes nothing without a token; this registry takes any.
  await writeFile(userconfig, `registry=${url}\n//127.0.0.1:${port}/:_authToken=anybody\naudit=false\nfund=false\n`);
  const env = { ...outsideNpm, npm_config_userconfig: userconfig, npm_config_update_notifier: 'false' };
  return {
    url,
    /** The environment of somebody whose npm uses this registry. */
    env,
    npm: (cwd: string, ...args: string[]) => run('npm', args, { cwd, env }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    },
  };
}

export type Registry = Awaited<ReturnType<typeof startRegistry>>;

/** An empty folder with a project in it that has these packages from the registry. */
export async function newProject({ npm }: Registry, ...packages: string[]) {
  const path = await mkdtemp(join(tmpdir(), 'counterfoil-project-'));
  await writeFile(join(path, 'package.json'), '{ "type": "module" }\n');
  await npm(path, 'install', '--prefer-offline', ...packages);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
