import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/**
 * What happens to a request: it passes; the service answers it, and the answer is lost; it is dropped unseen; it gets no answer
 * until the proxy lets it go; or it gets this answer, which the service knows nothing of.
 */
type Fate = 'pass' | 'lose' | 'drop' | 'hold' | { status: number; headers?: Record<string, string>; body: string };

/** The answer to one call, or to each of a batch, as the service would refuse it. */
export function refusal(status: number, type: string, headers: Record<string, string> = {}): Fate {
  const error = { message: 'Not now.', code: -32000, data: { httpStatus: status, type, requestId: 'scripted' } };
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify({ error }) };
}

/** Stands between a client and the service at `port`; each request meets the next fate of the script, and passes after its end. */
export async function startScriptedProxy(port: number) {
  const agent = new Agent({ keepAlive: true });
  const script: Fate[] = [];
  let rest: Fate = 'pass';
  let letGo = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  /** What has arrived: when, by the clock of `performance`, and whether its caller went away before an answer. */
  const requests: {
    method: string;
    path: string;
    headers: IncomingMessage['headers'];
    body: string;
    at: number;
    gone: boolean;
  }[] = [];

  async function pass(req: IncomingMessage, res: ServerResponse) {
    const body = await buffer(req);
    const { method = '', url: path = '', headers } = req;
    const seen = { method, path, headers, body: body.toString(), at: performance.now(), gone: false };
    requests.push(seen);
    res.once('close', () => {
      seen.gone = !res.writableFinished;
    });
    const fate = script.shift() ?? rest;
    if (fate === 'drop') return req.socket.destroy();
    if (typeof fate === 'object') return res.writeHead(fate.status, fate.headers).end(fate.body);
    if (fate === 'hold') await held;
    const passed = request({ host: '127.0.0.1', port, agent, method, path, headers });
    passed.end(body);
    const [answer] = (await once(passed, 'response')) as [IncomingMessage];
    const answered = await buffer(answer);
    if (fate === 'lose') return req.socket.destroy();
    return res.writeHead(answer.statusCode ?? 0, answer.headers).end(answered);
  }

  const server = createServer((req, res) => pass(req, res).catch(() => req.socket.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    /** What the next requests meet, one after the other. */
    script: (...fates: Fate[]) => void script.push(...fates),
    /** What every request meets after the end of the script. */
    always(fate: Fate) {
      rest = fate;
    },
    /** Lets the held requests pass. */
    letGo: () => letGo(),
    async [Symbol.asyncDispose]() {
      letGo();
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
