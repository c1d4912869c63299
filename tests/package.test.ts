import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { procedures } from './harness.ts';
import { newProject, type Registry, run, startRegistry } from './registry.ts';
import { root, startServer } from './server-process.ts';

type Project = Awaited<ReturnType<typeof newProject>>;
let registry: Registry;
/** Somebody's bot, and somebody's service, who have only what was published. */
let bot: Project;
let service: Project;

beforeAll(async () => {
  registry = await startRegistry();
  await registry.npm(root, 'run', 'release:publish', '--', registry.url);
  [bot, service] = await Promise.all([
    newProject(registry, '@counterfoil/client', '@types/node@20'),
    newProject(registry, 'counterfoil'),
  ]);
});
afterAll(async () => {
  await bot?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

const tool = (...path: string[]) => join(root, 'node_modules', ...path);
const installed = (name: string) => join(bot.path, 'node_modules', name);

/** The files of a folder, without those of the packages in it, and their bytes. */
function filesOf(folder: string): [name: string, bytes: number][] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.flatMap((name): [string, number][] => {
    const { size, mode } = statSync(join(folder, name));
    return (mode & 0o170000) === 0o100000 ? [[name, size]] : [];
  });
}

const bytes = (folder: string) => filesOf(folder).reduce((sum, [, size]) => sum + size, 0);

describe('what is published', () => {
  test('holds what was built, its README and licence, and nothing of the workspace', async () => {
    const files = (folder: string) =>
      filesOf(folder)
        .map(([name]) => name.replace(/-[\w-]{8}\.js$/, '-….js'))
        .sort();
    expect(files(installed('@counterfoil/client'))).toEqual([
      'LICENSE',
      'README.md',
      'index.d.ts',
      'index.js',
      'package.json',
    ]);
    const program = join(service.path, 'node_modules', 'counterfoil');
    expect(files(program)).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'cli.js', 'docs/index.html']));
    expect(files(program).filter((name) => name.endsWith('.ts'))).toEqual([]);
    const version = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version;
    for (const folder of [installed('@counterfoil/client'), program]) {
      const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
      expect(manifest).toMatchObject({ version, license: 'MIT', description: /\w+/, engines: { node: '>=20.19' } });
      expect(Object.keys(manifest)).not.toContain('private');
      expect(JSON.stringify(manifest)).not.toMatch(/@counterfoil\/shared|(?<!\.d)\.ts"|workspace:/);
    }
  });

  test('passes publint, and attw but for its rule that nobody may require an ES module', async () => {
    await using folder = await newProject(registry);
    for (const name of ['@counterfoil/client', 'counterfoil']) {
      const [{ filename }] = JSON.parse(await registry.npm(folder.path, 'pack', name, '--json'));
      await run(process.execPath, [tool('publint', 'src', 'cli.js'), filename, '--strict'], { cwd: folder.path });
      const rules = ['--ignore-rules', 'cjs-resolves-to-esm', '--no-color', '--no-emoji'];
      await run(process.execPath, [tool('@arethetypeswrong', 'cli', 'dist', 'index.js'), filename, ...rules], {
        cwd: folder.path,
      });
    }
  });

  test('can be published again: what is there is passed over', async () => {
    const publish = ['--import', 'tsx', 'release/publish.ts', registry.url];
    const said = await run(process.execPath, publish, { cwd: root, env: registry.env });
    expect(said.match(/is published already/g)).toHaveLength(2);
  });

  test('the client brings no server with it', async () => {
    const tree = await registry.npm(bot.path, 'ls', '--all', '--parseable');
    const names = tree.split('\n').map((line) => line.slice(line.lastIndexOf('node_modules/') + 13));
    expect(names).toContain('@trpc/client');
    for (const name of ['mongoose', 'express', 'mongodb', 'trpc-openapi', 'counterfoil', '@counterfoil/shared']) {
      expect(names).not.toContain(name);
    }
    const bundle = await build({
      stdin: { contents: "export { createClient } from '@counterfoil/client'", resolveDir: bot.path },
      bundle: true,
      minify: true,
      format: 'esm',
      write: false,
    });
    const kB = (size = 0) => `${Math.round(size / 1000)} kB`;
    const folders = readdirSync(join(bot.path, 'node_modules'), { withFileTypes: true }).filter((at) =>
      at.isDirectory(),
    );
    const sizes = folders.map(({ name }) => `${name} ${kB(bytes(installed(name)))}`);
    console.log(`installed: ${sizes.join(', ')}; bundled and minified: ${kB(bundle.outputFiles[0]?.contents.length)}`);
  });
});

describe('the types of the client', () => {
  test('import tRPC and zod only, and say nowhere that something may be anything', async () => {
    const text = await readFile(join(installed('@counterfoil/client'), 'index.d.ts'), 'utf8');
    const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*/gm, '');
    const imported = [...code.matchAll(/(?:from|import|require|types=)\s*\(?\s*['"]([^'"]+)/g)].map(([, name]) => name);
    expect(new Set(imported)).toEqual(new Set(['@trpc/client', '@trpc/server', 'zod']));
    expect(code.match(/.*\bany\b.*/g)).toBeNull();
  });

  test('the program that uses every procedure uses every one of the router', async () => {
    const program = await readFile(join(root, 'tests/outside/every-procedure.ts'), 'utf8');
    const used = [...program.matchAll(/\b(\w+\.\w+)\.(query|mutate)\(/g)].map(([, name, how]) => `${name} ${how}`);
    const known = Object.entries(procedures).map(
      ([name, { _def }]) => `${name} ${_def.type === 'query' ? 'query' : 'mutate'}`,
    );
    expect(used.sort()).toEqual(known.sort());
  });

  /** Programs with one mistake each, in the last line, and the code of TypeScript's error. */
  const mistakes: [name: string, code: number, ...lines: string[]][] = [
    ['an unknown procedure', 2339, `counterfoil.tickets.assign.mutate({ shortId });`],
    ['a command that is queried', 2339, `counterfoil.tickets.claim.query({ shortId, discordId });`],
    ['a missing field', 2345, `counterfoil.tickets.claim.mutate({ shortId });`],
    ['an unknown field', 2353, `counterfoil.tickets.close.mutate({ shortId, because: 'Solved' });`],
    ['a Discord id as a number', 2322, `counterfoil.tickets.claim.mutate({ shortId, discordId: 223344556677889900 });`],
    ['an unknown priority', 2322, `counterfoil.tickets.update.mutate({ shortId, priority: 'hot' });`],
    [
      'a field that the answer lacks',
      2551,
      `const ticket = await counterfoil.tickets.get.query({ shortId });`,
      `console.log(ticket.claimer);`,
    ],
    [
      'a field that may be null',
      18047,
      `const ticket = await counterfoil.tickets.get.query({ shortId });`,
      `console.log(ticket.claimedBy.length);`,
    ],
    ['an unknown type of error', 2345, `isCounterfoilError(error, 'ticket_claimed');`],
    [
      'details of another type of error',
      2339,
      `if (isCounterfoilError(error, 'version_mismatch'))`,
      `console.log(error.details.claimedBy);`,
    ],
    ['a client without a key', 2345, `createClient({ url: 'http://127.0.0.1:4000' });`],
    ['a time as text', 2322, `createClient({ url: 'http://127.0.0.1:4000', key: 'key', timeoutMs: '10s' });`],
    [
      'ticket data that the schema does not have',
      2339,
      `const data = parseTicketData({ ticketData: '{}' }, z.object({ topic: z.string() }));`,
      `console.log(data.order);`,
    ],
  ];
  const prelude = [
    `import { createClient, isCounterfoilError, parseTicketData } from '@counterfoil/client';`,
    `import { z } from 'zod';`,
    `declare const error: unknown;`,
    `const counterfoil = createClient({ url: 'http://127.0.0.1:4000', key: 'key' });`,
    `const [shortId, discordId] = ['k7m2p9xq', '223344556677889900'] as const;`,
    `export const used = [counterfoil, shortId, discordId, error, isCounterfoilError, parseTicketData, z];`,
  ];

  describe.each([
    ['6', 'nodenext', 'typescript'],
    ['6', 'bundler', 'typescript'],
    ['5.9', 'nodenext', 'typescript-5'],
    ['5.9', 'bundler', 'typescript-5'],
  ])('with TypeScript %s and the module resolution %s', (version, resolution, compiler) => {
    let errors: { file: string; line: number; code: number; text: string }[];

    beforeAll(async () => {
      const folder = join(bot.path, `${resolution}-${version}`);
      await mkdir(folder);
      for (const name of ['every-procedure.ts', 'types.ts']) {
        await cp(join(root, 'tests/outside', name), join(folder, name));
      }
      for (const [place, [, , ...lines]] of mistakes.entries()) {
        await writeFile(join(folder, `mistake-${place}.ts`), [...prelude, ...lines].join('\n'));
      }
      const onNode = resolution === 'nodenext';
      if (onNode) {
        const required =
          "import client = require('@counterfoil/client');\nclient.createClient({ url: '', key: '' });\n";
        await writeFile(join(folder, 'required.cts'), required);
        await writeFile(join(folder, 'readme.ts'), snippets('ts').join('\n'));
      }
      const compilerOptions = {
        strict: true,
        noUncheckedIndexedAccess: true,
        exactOptionalPropertyTypes: true,
        verbatimModuleSyntax: true,
        skipLibCheck: false,
        noEmit: true,
        target: 'es2023',
        module: onNode ? 'nodenext' : 'esnext',
        moduleResolution: resolution,
        // tRPC's own types need those of fetch and of `using`.
        lib: ['es2023', 'dom', 'esnext.disposable'],
        types: onNode ? ['node'] : [],
      };
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
      const tsc = [tool(compiler, 'lib', 'tsc.js'), '-p', '.', '--pretty', 'false'];
      expect(await run(process.execPath, [...tsc, '--version'], { cwd: folder })).toContain(`Version ${version}`);
      const said = await run(process.execPath, tsc, { cwd: folder }).catch(({ message }: Error) => message);
      errors = [...said.matchAll(/^(\S+)\((\d+),\d+\): error TS(\d+): (.*)/gm)].map(
        ([, file = '', line, code, text = '']) => ({ file, line: Number(line), code: Number(code), text }),
      );
    });

    test('every procedure and every type is as it should be, in all files that it reads', () => {
      expect(errors.filter(({ file }) => !file.startsWith('mistake-'))).toEqual([]);
    });

    test.each(mistakes.map(([name], place) => [name, place] as const))('%s is found', (_, place) => {
      const [, code, ...lines] = mistakes[place] ?? ['', 0];
      const found = errors.filter(({ file }) => file === `mistake-${place}.ts`);
      expect(found).toMatchObject([{ line: prelude.length + lines.length, code }]);
    });
  });

  test('a CommonJS program can require it', async () => {
    const program = `const { createClient } = require('@counterfoil/client');
      console.log(typeof createClient({ url: 'http://127.0.0.1:4000', key: 'key' }).tickets.get.query);`;
    await writeFile(join(bot.path, 'program.cjs'), program);
    expect(await run(process.execPath, ['--no-warnings', 'program.cjs'], { cwd: bot.path })).toBe('function\n');
  });
});

/** The code blocks of the client's README in a language. */
function snippets(language: string): string[] {
  const readme = readFileSync(join(root, 'client/README.md'), 'utf8');
  return [...readme.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, code = '']) =>
    name === language ? [code] : [],
  );
}

function has(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('the published service and the client of it', () => {
  let server: Awaited<ReturnType<typeof startServer>>;
  beforeAll(async () => {
    const env = { ...registry.env, PORT: '0', MONGOD_BINARY: inject('mongod'), DATA_DIR: '', MONGODB_URI: '' };
    expect(await run('npx', ['counterfoil', '--help'], { cwd: service.path, env })).toContain('serve');
    // What npx runs, which would keep a signal for itself.
    const program = join(service.path, 'node_modules', '.bin', 'counterfoil');
    server = await startServer({ env, command: [program, 'serve'], cwd: service.path });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  const environment = () => ({ ...process.env, COUNTERFOIL_KEY: server.firstKey });
  const here = (snippet: string) => snippet.replaceAll('http://127.0.0.1:4000', server.url);

  test('keeps its data in the folder that it is started in', async () => {
    expect(readFileSync(join(service.path, 'data', 'admin-key'), 'utf8').trim()).toBe(server.firstKey);
  });

  test('serves its page and its document, of its version', async () => {
    const page = await fetch(`${server.url}/docs/`);
    expect(await page.text()).toContain('swagger-ui-bundle.js');
    expect((await fetch(`${server.url}/docs/swagger-ui-bundle.js`)).status).toBe(200);
    const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as { info: { version: string } };
    const { version } = JSON.parse(readFileSync(join(root, 'server/package.json'), 'utf8'));
    expect(document.info.version).toBe(version);
  });

  test('the quick start of the README, then all of its TypeScript as one program', async () => {
    const [start = '', ...rest] = snippets('ts').map(here);
    const calls = `
      const interaction = { id: '998877665544332211', guildId, user: { id: '223344556677889900' } };
      console.log(await claim(ticket.ticketShortId, '334455667788990011'));
      console.log(await claim(ticket.ticketShortId, '445566778899001122'));
      for (let time = 0; time < 2; time += 1) console.log(await openTicket(interaction, 'billing'));
      for (let time = 0; time < 2; time += 1) console.log(await closeTicket(interaction, ticket.ticketShortId));
      console.log(await claim(ticket.ticketShortId, '445566778899001122'));`;
    await writeFile(join(bot.path, 'start.ts'), start);
    await writeFile(join(bot.path, 'readme.ts'), [start, ...rest, calls].join('\n'));
    const tsx = ['--import', tool('tsx', 'dist', 'loader.mjs')];
    const program = (file: string) => run(process.execPath, [...tsx, file], { cwd: bot.path, env: environment() });
    expect(await program('start.ts')).toBe('created support-0001\n');
    expect((await program('readme.ts')).split('\n')).toEqual([
      'created support-0002',
      'open: support-0002 of 223344556677889900',
      'open: support-0001 of 223344556677889900',
      'topic: billing',
      'The ticket is yours.',
      '<@334455667788990011> was faster.',
      'Opened support-0003.',
      'support-0003 is open already.',
      'Closed.',
      'Closed.',
      'The ticket is closed.',
      '',
    ]);
  });

  test.skipIf(!has('curl', '--version'))('curl', async () => {
    const [, command = ''] = snippets('sh');
    const answer = await run('sh', ['-c', here(command)], { cwd: bot.path, env: environment() });
    expect(JSON.parse(answer)).toMatchObject({ created: true, ticket: { ticketOwner: '223344556677889900' } });
  });

  test('Python', async () => {
    await writeFile(join(bot.path, 'start.py'), here(snippets('python').join('\n')));
    const said = await run('python3', ['start.py'], { cwd: bot.path, env: environment() });
    expect(said).toBe('claimed by 334455667788990011\nstatus open\n');
  });

  test.skipIf(!has('go', 'version'))('Go, where there is Go', async () => {
    await writeFile(join(bot.path, 'start.go'), here(snippets('go').join('\n')));
    const env = { ...environment(), GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local' };
    expect(await run('go', ['run', 'start.go'], { cwd: bot.path, env })).toMatch(
      /^support-\d{4} claimed by 334455667788990011\n$/,
    );
  });

  test('every code block of the README is one of those', () => {
    const readme = readFileSync(join(root, 'client/README.md'), 'utf8');
    const languages = [...readme.matchAll(/^```(\w*)\n.*?^```$/gms)].map(([, name]) => name);
    expect(languages.filter((name) => name !== 'ts')).toEqual(['sh', 'sh', 'python', 'go']);
    expect(snippets('sh')[0]).toBe('npm install @counterfoil/client\n');
  });
});
