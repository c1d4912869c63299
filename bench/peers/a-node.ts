/** A: node:http and the driver, by hand: the practical limit. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createAuthentication } from './authenticate.ts';
import { refusalOf } from './documents.ts';
import { openByDriver } from './driver.ts';
import { announce, databaseUri } from './process.ts';

const store = await openByDriver(databaseUri);
const authenticate = createAuthentication(store);
const readPath = '/tickets/get/id/';

function readBody(req: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    req.setEncoding('utf8');
    req.on('data', (chunk: string) => {
      text += chunk;
    });
    req.on('end', () => resolve(text));
    req.on('error', reject);
  });
}

function send(res: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  res.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
  });
  res.end(text);
}

async function answer(req: IncomingMessage): Promise<object | null> {
  const { method, url = '' } = req;
  const key = await authenticate(req.headers.authorization);
  if (method === 'GET' && url.startsWith(readPath)) {
    return store.read(key, decodeURIComponent(url.slice(readPath.length)));
  }
  if (method === 'POST' && url === '/tickets/create') return store.create(key, JSON.parse(await readBody(req)));
  if (method === 'POST' && url === '/tickets/claim') return store.claim(key, JSON.parse(await readBody(req)));
  return null;
}

const server = createServer(async (req, res) => {
  try {
    const body = await answer(req);
    send(res, body ? 200 : 404, body ?? {});
  } catch (error) {
    const { status, body } = refusalOf(error);
    send(res, status, body);
  }
});
server.listen(0, '127.0.0.1', () => announce(server));
