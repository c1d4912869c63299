import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './registry.ts';
import { root } from './server-process.ts';

const workspaces: string[] = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).workspaces;
const manifests = ['package.json', ...workspaces.map((folder) => `${folder}/package.json`)];

/** A copy of all that a release changes. */
async function newCopy() {
  const path = await mkdtemp(join(tmpdir(), 'counterfoil-release-'));
  for (const file of [...manifests, 'package-lock.json']) await cp(join(root, file), join(path, file));
  return {
    path,
    read: (file: string) => readFile(join(path, file), 'utf8'),
    release: (version: string) =>
      run(process.execPath, ['--import', join(root, 'node_modules/tsx/dist/loader.mjs'), script, version], {
        cwd: path,
      }),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}
const script = join(root, 'release/version.ts');

test('one command gives every package, the lockfile and the changelog the new version', async () => {
  await using copy = await newCopy();
  await writeFile(
    join(copy.path, 'CHANGELOG.md'),
    '# Changelog\n\n## Unreleased\n\n- New\n\n## 0.0.1 - 2026-01-01\n\n- Old\n',
  );
  await copy.release('12.3.4');
  for (const file of [...manifests, 'package-lock.json']) {
    expect(JSON.parse(await copy.read(file))).toMatchObject({ version: '12.3.4' });
  }
  const { packages } = JSON.parse(await copy.read('package-lock.json'));
  for (const folder of workspaces) expect(packages[folder]).toMatchObject({ version: '12.3.4' });
  const example = JSON.parse(await copy.read('client/examples/discord-bot/package.json'));
  expect(example.dependencies['@counterfoil/client']).toBe('^12.3.4');
  const today = new Date().toISOString().slice(0, 10);
  expect(await copy.read('CHANGELOG.md')).toBe(
    `# Changelog\n\n## Unreleased\n\n## 12.3.4 - ${today}\n\n- New\n\n## 0.0.1 - 2026-01-01\n\n- Old\n`,
  );
  await expect(copy.release('12.3.5')).rejects.toThrow('CHANGELOG.md has nothing under "## Unreleased"');
});

test('what is no version changes nothing', async () => {
  await using copy = await newCopy();
  const changelog = '# Changelog\n\n## Unreleased\n\n- New\n';
  await writeFile(join(copy.path, 'CHANGELOG.md'), changelog);
  await expect(copy.release('twelve')).rejects.toThrow('Invalid version');
  expect(await copy.read('CHANGELOG.md')).toBe(changelog);
  expect(await copy.read('package.json')).toBe(await readFile(join(root, 'package.json'), 'utf8'));
});
