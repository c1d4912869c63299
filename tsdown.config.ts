import { defineConfig, type UserConfig } from 'tsdown';
import { writeManifest } from './release/manifest.ts';

/** What both packages have: `dist` becomes all that is published, with a package.json of its own. */
const published = {
  platform: 'node',
  fixedExtension: false,
  hooks: { 'build:done': ({ options }) => writeManifest(options.cwd) },
} satisfies UserConfig;

/** What the interactive page takes of swagger-ui, and what its licence asks for. */
const swaggerUi = [
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'favicon-32x32.png',
  'LICENSE',
  'NOTICE',
].map((name) => `../node_modules/swagger-ui-dist/${name}`);

export default defineConfig([
  {
    ...published,
    cwd: 'client',
    entry: 'index.ts',
    copy: ['README.md', '../LICENSE'],
    // The types of the router are inferred in files that the client does not import by itself.
    dts: { eager: true },
  },
  {
    ...published,
    cwd: 'server',
    entry: 'cli.ts',
    copy: [{ from: ['rest/docs/*', ...swaggerUi], to: 'dist/docs' }, '../README.md', '../LICENSE'],
    dts: false,
  },
]);
