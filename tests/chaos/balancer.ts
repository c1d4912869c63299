import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { attempt } from './caller.ts';

/** Milliseconds between two looks at a service: well below the second in which one says that it is about to end. */
const lookEvery = 250;

/** A small load balancer: passes each request on once, to the next service that said it is ready when it was asked last. */
export async function startBalancer(urls: string[]) {
  const agent = new Agent({ keepAlive: true });
  const ready = new Set<string>();
  let turn = 0;
  let isEnding = false;

  async function watch(url: string) {
    while (!isEnding) {
      const { status } = await attempt(url, { path: '/health/ready' });
      if (status === 200) ready.add(url);
      else ready.delete(url);
      await sleep(lookEvery);
    }
  }

  async function pass(req: IncomingMessage, res: ServerResponse) {
    const body = await buffer(req);
    turn += 1;
    const url = [...ready][turn % Math.max(1, ready.size)];
    if (url === undefined) return res.writeHead(502).end('nobody is ready');
    const { method, url: path, headers } = req;
    const passed = request(url + path, { agent, method, headers });
    passed.end(body);
    const [answer] = (await once(passed, 'response')) as [IncomingMessage];
    const answered = await buffer(answer);
    const { connection: _, ...others } = answer.headers;
    return res.writeHead(answer.statusCode ?? 502, others).end(answered);
  }

  const watching = urls.map(watch);
  const server = createServer((req, res) => pass(req, res).catch((error) => res.writeHead(502).end(error.message)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    isReady: (url: string) => ready.has(url),
    async [Symbol.asyncDispose]() {
      isEnding = true;
      await Promise.all(watching);
      agent.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}
