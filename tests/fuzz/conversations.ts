import fc from 'fast-check';
import { guilds } from './inputs.ts';
import { type KeyKind, keyKind } from './keys.ts';

/** Bytes on a connection of their own, each character one. */
export interface Conversation {
  kind: string;
  key: KeyKind;
  /** Written one after the other; the line `<key>` stands for the key's headers. */
  parts: string[];
  /**
   * How it ends: a last request asks the service to close, the caller closes its half, or breaks off, at once or with the
   * first byte of an answer.
   */
  end: 'asked' | 'half' | 'broken' | 'broken at the answer';
}

const crlf = '\r\n';
const request = (line: string, headers: string[] = [], body = '') => [line, ...headers, '', body].join(crlf);
const create = JSON.stringify({ ticketType: 'support', guildId: guilds[0], ticketOwner: '200000000000000001' });
const post = (headers: string[], body = '') =>
  request('POST /tickets/create HTTP/1.1', ['Host: a', '<key>', 'Content-Type: application/json', ...headers], body);
const get = (target: string) => request(`GET ${target} HTTP/1.1`, ['Host: a', '<key>']);
const goodGet = get('/tickets/get/id/short-1');
const goodPost = post([`Content-Length: ${create.length}`], create);
const chunked = post(['Transfer-Encoding: chunked'], `${create.length.toString(16)}\r\n${create}\r\n0\r\n\r\n`);
const good = fc.constantFrom(
  goodGet,
  goodPost,
  chunked,
  get('/trpc/tickets.get?input={"shortId":"short-1"}'),
  get('/health/live'),
  get('/openapi.json'),
);

const bytes = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 60 });

const requestLine = fc.oneof(
  fc.constantFrom(
    'BROKEN',
    'GET',
    'GET /',
    'GET  / HTTP/1.1',
    ' GET / HTTP/1.1',
    'GET / HTTP/1.1 x',
    'get / http/1.1',
    'GET / HTTP/9.9',
  ),
  fc.constantFrom(
    'GET /a\0b HTTP/1.1',
    '\0',
    'GET /\x7f HTTP/1.1',
    'G\0T / HTTP/1.1',
    'GET / HTTP/2.0',
    'PRI * HTTP/2.0',
    'GET / FTP/1.1',
  ),
  fc.constantFrom(
    '\x16\x03\x01\x02\x00\x01\x00',
    'SSH-2.0-x',
    'GET\t/\tHTTP/1.1',
    'GET / HTTP/1.1\0',
    `${'A'.repeat(20_000)} / HTTP/1.1`,
  ),
  bytes,
);
const headerLine = fc.oneof(
  fc.constantFrom(
    'X y: 1',
    ': v',
    'X',
    'X\0: 1',
    'X: \0',
    ' folded: 1',
    'X: 1\r\n folded',
    'X : 1',
    'Host: [',
    'Host: b',
    'X: \x01',
    'X: \n1',
  ),
  fc.constantFrom(
    'Content-Length: -1',
    'Content-Length: +1',
    'Content-Length: 1, 1',
    'Content-Length: 0x1',
    'Content-Length: 1e3',
  ),
  fc.constantFrom(
    'Content-Length: 0\r\nContent-Length: 5',
    `Content-Length: ${'9'.repeat(40)}`,
    'Transfer-Encoding: gzip',
    'Te: x',
  ),
  fc.constantFrom('Connection: \0', 'Connection: close, keep-alive', 'Keep-Alive: timeout=-1', 'X-Request-Id: a\tb'),
  bytes,
);
const flood = fc.oneof(
  fc.nat(3000).map((count) => Array.from({ length: count }, (_, n) => `X-${n}: 1`)),
  fc.nat(3000).map((count) => Array.from({ length: count }, () => 'A: 1')),
  fc.integer({ min: 8_000, max: 40_000 }).map((length) => [`X: ${'x'.repeat(length)}`]),
  fc.integer({ min: 8_000, max: 40_000 }).map((length) => [`${'x'.repeat(length)}: 1`]),
);
const target = fc.oneof(
  fc.constantFrom(
    'http://other.example',
    'http://other.example/health/live',
    'http://[/x',
    'http://[/docs/x',
    '*',
    '//',
    '/\\',
    '?',
    '#',
  ),
  fc.constantFrom(
    'http://a@b:99999/tickets/get/id/short-1',
    'https:///x',
    'file:///etc/passwd',
    '../../etc/passwd',
    'other.example:443',
  ),
  fc.constantFrom(
    '/tickets/get/id/\xff',
    '/%',
    '/trpc/%',
    '/docs/%',
    '/docs/..%2f..%2fpackage.json',
    '/docs//',
    `/${'x'.repeat(16_000)}`,
  ),
  bytes.map((text) => `/${text}`),
);
const chunks = fc.oneof(
  fc.constantFrom(
    'zz\r\n',
    '-1\r\n',
    '5\r\nab',
    '5;x="\0"\r\nabcde\r\n0\r\n\r\n',
    '0\r\nX: 1\r\n\r\n',
    '0\r\n\0',
    'ffffffffffffffff1\r\n',
    '1\nx\n0\n\n',
  ),
  fc.nat(30_000).map((length) => `1;${'x'.repeat(length)}\r\na\r\n0\r\n\r\n`),
  fc.nat(20_000).map((length) => `0\r\nX: ${'x'.repeat(length)}\r\n\r\n`),
  bytes,
);
const framing = fc.oneof(
  chunks.map((body) => post(['Transfer-Encoding: chunked'], body)),
  chunks.map((body) => post(['Content-Length: 5', 'Transfer-Encoding: chunked'], body)),
  fc
    .constantFrom(
      'chunked, chunked',
      'chunked, identity',
      'xchunked',
      '\x0bchunked',
      'chunked\r\nTransfer-Encoding: x',
      'identity',
    )
    .map((coding) => post([`Transfer-Encoding: ${coding}`], '0\r\n\r\n')),
  fc.integer({ min: -40, max: 40 }).map((more) => post([`Content-Length: ${create.length + more}`], create)),
  fc.constantFrom('300000', '99999999999').map((length) => post([`Content-Length: ${length}`], create)),
);
const otherProtocol = fc.constantFrom(
  request('GET /health/live HTTP/1.0'),
  request('POST /tickets/create HTTP/1.0', ['<key>', 'Content-Type: application/json'], create),
  'GET /health/live\r\n',
  request('CONNECT other.example:443 HTTP/1.1', ['Host: a', '<key>']),
  request('CONNECT / HTTP/1.1', ['Host: a']),
  request('GET /health/live HTTP/1.1', [
    'Host: a',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Key: x',
  ]),
  request('PRI * HTTP/2.0', [], 'SM\r\n\r\n'),
  request('GET / HTTP/1.1', ['Host: a', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AA']),
  post(['Expect: 100-continue', `Content-Length: ${create.length}`], create),
  post(['Expect: tea', `Content-Length: ${create.length}`], create),
  post(['Expect: 100-continue', 'Content-Length: 300000']),
);
const unusualEnds = fc
  .tuple(good, fc.constantFrom('\n', '\r', '\n\r', '\r\r\n', '\r\n\0'))
  .map(([text, end]) => text.replaceAll(crlf, end));
const cut = fc
  .tuple(good, fc.double({ min: 0, max: 0.999, noNaN: true }))
  .map(([text, part]) => text.slice(0, Math.floor(text.length * part)));
const flipped = fc.tuple(good, fc.nat(), fc.nat(255)).map(([text, place, code]) => {
  const at = place % text.length;
  return text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
});
const broken = fc.oneof(
  requestLine.map((line) => request(line, ['Host: a'])),
  headerLine.map((line) => request('GET /health/live HTTP/1.1', ['Host: a', line])),
  chunks.map((body) => post(['Transfer-Encoding: chunked'], body)),
);
const pipeline = fc
  .tuple(fc.array(good, { minLength: 1, maxLength: 4 }), broken, fc.array(good, { maxLength: 2 }))
  .map(([before, middle, behind]) => [...before, middle, ...behind]);

const asked = request('GET /health/live HTTP/1.1', ['Host: a', 'Connection: close']);

function ofKind(kind: string, weight: number, drawn: fc.Arbitrary<string | string[]>, ...ends: Conversation['end'][]) {
  const arbitrary = fc.tuple(drawn, keyKind, fc.constantFrom(...ends)).map(([sent, key, end]): Conversation => {
    const parts = [sent].flat();
    return { kind, key, end, parts: end === 'asked' ? [...parts, asked] : parts };
  });
  return { weight, arbitrary };
}

/** Anything that can be sent on a connection. What may wait for more bytes is ended by the caller. */
export const someConversation: fc.Arbitrary<Conversation> = fc.oneof(
  ofKind(
    'request line',
    3,
    requestLine.map((line) => request(line, ['Host: a', '<key>'])),
    'asked',
    'half',
  ),
  ofKind(
    'header',
    3,
    headerLine.map((line) => request('GET /tickets/get/id/short-1 HTTP/1.1', ['Host: a', '<key>', line])),
    'half',
    'broken',
  ),
  ofKind(
    'header flood',
    2,
    flood.map((lines) => request('GET /tickets/get/id/short-1 HTTP/1.1', ['Host: a', '<key>', ...lines])),
    'asked',
  ),
  ofKind(
    'target',
    3,
    target.map((where) => request(`GET ${where} HTTP/1.1`, ['Host: a', '<key>'])),
    'asked',
  ),
  ofKind('framing', 4, framing, 'half', 'broken'),
  ofKind('other protocol', 2, otherProtocol, 'half', 'broken'),
  ofKind('line ends', 1, unusualEnds, 'half'),
  ofKind('cut', 3, cut, 'half', 'broken'),
  ofKind('flipped byte', 4, flipped, 'half'),
  ofKind('pipeline', 3, fc.array(good, { minLength: 2, maxLength: 6 }), 'asked', 'broken at the answer'),
  ofKind('broken pipeline', 4, pipeline, 'half', 'broken'),
  ofKind('good', 2, good, 'asked', 'half', 'broken', 'broken at the answer'),
  ofKind('noise', 1, bytes, 'half'),
);
