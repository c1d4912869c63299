import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { build, type Plugin } from 'esbuild';
import { root } from '../tests/server-process.ts';

/** Leaves all that comes from a registry out of what is built. */
const besideLibraries: Plugin = {
  name: 'beside-libraries',
  setup({ onResolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === 'entry-point' || /^@?counterfoil\//.test(path) ? undefined : { path, external: true },
    );
  },
};

/** Builds the service as it is published; answers the arguments of Node that run it. */
export async function buildService(): Promise<string[]> {
  const [code] = await once(
    spawn('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }),
    'exit',
  );
  if (code !== 0) throw new Error(`npm run build ended with ${code}`);
  return ['server/dist/cli.js', 'serve'];
}

/** Builds a peer likewise, its own files as one and all libraries beside it; answers the arguments of Node that run it. */
export async function buildPeer(file: string): Promise<string[]> {
  const outfile = `bench/dist/${file}.mjs`;
  await build({
    absWorkingDir: root,
    entryPoints: [`bench/peers/${file}.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    plugins: [besideLibraries],
  });
  return [outfile];
}
