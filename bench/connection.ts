import { createConnection } from 'node:net';

/** The answer to a request. */
export interface Answer {
  status: number;
  body: string;
}

/** A call over REST, as it goes over the wire. */
export function requestOf(key: string, method: 'GET' | 'POST', path: string, input?: object): string {
  const head = `${method} ${path} HTTP/1.1\r\nHost: bench\r\nAuthorization: ${key}\r\n`;
  if (input === undefined) return `${head}\r\n`;
  const body = JSON.stringify(input);
  return `${head}Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** A body of JSON without the lengths of its chunks, each of which stands on a line of its own. */
const unchunk = (chunked: string) => chunked.replace(/(^|\r\n)[0-9a-f]+\r\n/g, '').trimEnd();

export type Connection = ReturnType<typeof connect>;

/**
 * A kept connection that carries one request at a time: as little work as can be, so that a caller on the same
 * machine takes little of what it measures.
 */
export function connect(port: number) {
  let received = '';
  let owed: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
  // A character for each byte: what Content-Length counts.
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    received += chunk;
    const headEnd = received.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = /\r\ncontent-length: (\d+)/i.exec(received)?.[1];
    const end = length === undefined ? received.length : headEnd + 4 + Number(length);
    if (received.length < end || (length === undefined && !received.endsWith('\r\n0\r\n\r\n'))) return;
    const sent = received.slice(headEnd + 4, end);
    const answer = { status: Number(received.slice(9, 12)), body: length === undefined ? unchunk(sent) : sent };
    received = received.slice(end);
    owed?.resolve(answer);
    owed = undefined;
  });
  socket.on('error', (error) => owed?.reject(error));
  socket.on('close', () => owed?.reject(new Error('the connection ended without an answer')));
  return {
    isOpen: () => !socket.destroyed && socket.writable,
    /** Sends a request; rejects where the connection ends before the answer. */
    ask: (request: string) =>
      new Promise<Answer>((resolve, reject) => {
        owed = { resolve, reject };
        socket.write(request);
      }),
    close: () => socket.destroy(),
  };
}

/** Asks, and throws where the answer is no success; answers its body. */
// biome-ignore lint/suspicious/noExplicitAny: answers of every shape.
export async function succeed(connection: Connection, request: string): Promise<any> {
  const { status, body } = await connection.ask(request);
  if (status !== 200) throw new Error(`${status} of ${request.split('\r\n')[0]}: ${body}`);
  return JSON.parse(body);
}
