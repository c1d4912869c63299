import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import express, { Router } from 'express';
import { MethodNotAllowed } from '../errors.ts';
import { requestState } from '../http/request.ts';

const page = fileURLToPath(new URL('docs', import.meta.url));
const swaggerUi = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const assets = /^\/(swagger-ui\.css|swagger-ui-bundle\.js|favicon-32x32\.png)$/;

/** The interactive page of the API; all of its assets come from this server. */
export function createDocs(): Router {
  const docs = Router({ caseSensitive: true });
  docs.use((req, _res, next) => {
    requestState(req).route = '/docs';
    if (req.method !== 'GET' && req.method !== 'HEAD') throw new MethodNotAllowed('GET, HEAD');
    next();
  });
  docs.use(express.static(page));
  docs.get(assets, express.static(swaggerUi, { index: false }));
  return docs;
}
