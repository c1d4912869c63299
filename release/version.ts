import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

// Sets the version of every package, and gives the changelog's unreleased changes that version and today's date.
const [given] = process.argv.slice(2);
if (given === undefined) throw new Error('Name the version, such as 0.2.0, or major, minor or patch');
const changelog = readFileSync('CHANGELOG.md', 'utf8');
const [, changes] = /^## Unreleased\n(.*?)(?=^## |$(?![\s\S]))/ms.exec(changelog) ?? [];
if (!changes?.trim()) throw new Error('CHANGELOG.md has nothing under "## Unreleased"');

const everywhere = ['--workspaces', '--include-workspace-root', '--no-workspaces-update', '--no-git-tag-version'];
execFileSync('npm', ['version', given, ...everywhere], { stdio: ['ignore', 'ignore', 'inherit'] });
const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
// The example names a range of the published client, as who copies it needs it.
const example = 'client/examples/discord-bot/package.json';
const manifest = readFileSync(example, 'utf8');
writeFileSync(example, manifest.replace(/("@counterfoil\/client": )"[^"]*"/, `$1"^${version}"`));
execFileSync('npm', ['install', '--package-lock-only', '--ignore-scripts', '--no-audit', '--no-fund'], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
const date = new Date().toISOString().slice(0, 10);
writeFileSync('CHANGELOG.md', changelog.replace('## Unreleased\n', `## Unreleased\n\n## ${version} - ${date}\n`));
console.log(
  `All packages and the changelog are of version ${version} now. Look at the changes, then commit and tag them.`,
);
