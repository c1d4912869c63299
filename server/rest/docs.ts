import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Router } from 'express';
import { MethodNotAllowed } from '../errors.ts';
import { requestState } from '../http/request.ts';

const own = fileURLToPath(new URL('docs', import.meta.url));
// What is published brings the files that are used itself: the package is large, and reports its installations.
const swaggerUi = import.meta.url.endsWith('.ts')
  ? dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
  : own;

/** Everything that the page consists of, by its path. */
const files: Record<string, string> = {
  '/': join(own, 'index.html'),
  '/page.css': join(own, 'page.css'),
  '/page.js': join(own, 'page.js'),
  '/swagger-ui.css': join(swaggerUi, 'swagger-ui.css'),
  '/swagger-ui-bundle.js': join(swaggerUi, 'swagger-ui-bundle.js'),
  '/favicon-32x32.png': join(swaggerUi, 'favicon-32x32.png'),
};

/** The interactive page of the API; all of its assets come from this server. */
export function createDocs(): Router {
  const docs = Router({ caseSensitive: true });
  docs.use((req, res, next) => {
    requestState(req).route = '/docs';
    if (req.method !== 'GET' && req.method !== 'HEAD') throw new MethodNotAllowed('GET, HEAD');
    // The page names its assets relative to itself, so that it also works behind a proxy's prefix.
    if (/^\/docs(\?|$)/.test(req.originalUrl)) res.redirect(301, 'docs/');
    else next();
  });
  for (const [path, file] of Object.entries(files)) {
    let content: Buffer | undefined;
    docs.get(path, async (_req, res) => {
      content ??= await readFile(file);
      res.type(extname(file)).set('Cache-Control', 'max-age=3600').send(content);
    });
  }
  return docs;
}
