import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Conversation } from './conversations.ts';
import type { KeyKind } from './keys.ts';
import type { FuzzRequest } from './requests.ts';

/** What the service answered. */
export interface Answer {
  status: number;
  /** By their names in lower case. */
  headers: Record<string, string>;
  body: string;
}

/** Milliseconds after which an answer, or the end of a connection, is taken to never come: the service waits 17 s at most. */
const patience = 40_000;

/** Milliseconds that a caller who closes its half has waited for answers before. */
const halfOpenFor = 10;

/** The answers in what a connection brought, and what is left behind them. */
function readAnswers(bytes: Buffer): { answers: Answer[]; rest: Buffer } {
  const answers: Answer[] = [];
  for (let rest = bytes; ; ) {
    const ended = rest.indexOf('\r\n\r\n');
    const [statusLine = '', ...lines] = rest.subarray(0, Math.max(ended, 0)).toString('latin1').split('\r\n');
    const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(statusLine) ?? [];
    if (!status) return { answers, rest };
    const headers = Object.fromEntries(
      lines.map((line) => [line.replace(/:.*/, '').toLowerCase(), line.replace(/^[^:]*: ?/, '')]),
    );
    const end = ended + 4 + Number(headers['content-length'] ?? 0);
    if (rest.length < end) return { answers, rest };
    const body = rest.subarray(ended + 4, end).toString();
    // 100 Continue comes ahead of an answer.
    if (!status.startsWith('1')) answers.push({ status: Number(status), headers, body });
    rest = rest.subarray(end);
  }
}

/** Sends to the service at `port`, over kept connections or one for each conversation. */
export function createSender(port: number, keys: Record<KeyKind, string[]>) {
  const agent = new Agent({ keepAlive: true });
  const authorization = (key: KeyKind) => keys[key].map((value) => ['Authorization', value] as const);

  async function send({ method, path, headers, body, isBytes, key }: FuzzRequest): Promise<Answer> {
    const payload = body === null ? null : Buffer.from(body, isBytes ? 'latin1' : 'utf8');
    const lengths = payload ? [['Content-Length', String(payload.length)]] : [];
    const lines = [['Host', 'localhost'], ...authorization(key), ...headers, ...lengths].flat();
    const signal = AbortSignal.timeout(patience);
    const sent = request({ port, host: '127.0.0.1', agent, method, path, headers: lines, signal });
    sent.end(payload ?? undefined);
    const [response] = await once(sent, 'response');
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() };
  }

  async function converse({ parts, key, end }: Conversation): Promise<{ answers: Answer[]; rest: Buffer }> {
    const keyLines = authorization(key).map((line) => `${line.join(': ')}\r\n`);
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    // A reset is an end as any other.
    socket.on('error', () => {});
    let isHung = false;
    const late = setTimeout(() => {
      isHung = true;
      socket.destroy();
    }, patience);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (end === 'broken at the answer') socket.destroy();
    });
    for (const part of parts) {
      socket.write(Buffer.from(part.replaceAll('<key>\r\n', keyLines.join('')), 'latin1'));
      await turn();
    }
    // Some of what the service answers without more bytes is to be seen: what it still works on is given up with the half.
    if (end === 'half') setTimeout(() => socket.end(), halfOpenFor);
    if (end === 'broken') socket.destroy();
    await closed;
    clearTimeout(late);
    if (isHung) throw new Error('the connection was never ended');
    return readAnswers(Buffer.concat(chunks));
  }

  return { send, converse, close: () => agent.destroy() };
}
