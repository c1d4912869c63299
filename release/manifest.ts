import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Writes the package.json of what is published, beside what was built. In the workspace a package is its source, and
 * private, so that the source cannot be published by mistake; its `publishConfig` says what is different once it is built.
 */
export async function writeManifest(folder: string): Promise<void> {
  const source = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const { private: _, devDependencies: __, publishConfig, ...manifest } = source;
  const { access, ...built } = publishConfig;
  const published = { ...manifest, ...built, publishConfig: { access } };
  await writeFile(join(folder, 'dist', 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}
