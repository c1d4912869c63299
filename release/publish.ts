import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

// Publishes what `npm run build` has made to the registry that is named: none is taken for granted, since what is published
// stays so. Further arguments are npm's, such as --dry-run. What is published already is passed over, so that a publication
// that was broken off is finished by the same command.
const [registry = '', ...others] = process.argv.slice(2);
if (!URL.canParse(registry)) {
  console.error('Name the registry: npm run release:publish -- "$(npm config get registry)"');
  process.exit(2);
}
const args = ['--registry', registry, ...others];
for (const folder of ['./server/dist', './client/dist']) {
  const { name, version } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const published = spawnSync('npm', ['view', `${name}@${version}`, 'version', ...args], { encoding: 'utf8' });
  if (published.stdout.trim() === version) console.log(`${name} ${version} is published already`);
  else execFileSync('npm', ['publish', folder, ...args], { stdio: 'inherit' });
}
