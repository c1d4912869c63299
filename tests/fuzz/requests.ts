import fc from 'fast-check';
import { type Input, mutatedInput, type Target, targets, unknownFields, validInput } from './inputs.ts';
import { type KeyKind, keyKind } from './keys.ts';

export type Transport = 'rest' | 'trpc';

/** A request as it is drawn: plain data that names its key, so that a counterexample shows all of it. */
export interface FuzzRequest {
  kind: string;
  key: KeyKind;
  procedure: string;
  transport: Transport;
  method: string;
  path: string;
  headers: [string, string][];
  body: string | null;
  /** Each character is a byte of the body; else it is UTF-8. */
  isBytes?: boolean;
  /** The procedure's schema does not take the input, so that it must be refused. */
  isRefused?: boolean;
}
export type Shot = Omit<FuzzRequest, 'key' | 'kind'>;

const json: [string, string] = ['Content-Type', 'application/json'];

/** Percent-encodes as encodeURIComponent does, and also what is no well-formed text. */
function percentEncode(text: string): string {
  const parts = text.split(/([\ud800-\udfff])/u);
  return parts.map((part) => (part.isWellFormed() ? encodeURIComponent(part) : '%ED%A0%80')).join('');
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The request that brings an input to a procedure. */
export function requestOf(target: Target, transport: Transport, input: unknown): Shot {
  const { name: procedure, isQuery, path = '', schema } = target;
  const text = JSON.stringify(input) ?? '';
  const common = { procedure, transport, headers: [json] };
  const isRefused = !schema.safeParse(text === '' ? undefined : JSON.parse(text)).success;
  if (!isQuery) {
    const to = transport === 'rest' ? path : `/trpc/${procedure}`;
    return { ...common, method: 'POST', path: to, body: text, isRefused };
  }
  const query = { ...common, method: 'GET', body: null };
  if (transport === 'trpc') return { ...query, path: `/trpc/${procedure}?input=${percentEncode(text)}`, isRefused };
  // What a text stands for in a path or a query is decided by the service: "12" may be a number there.
  const fields = new Map(Object.entries(Object(input)));
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = fields.get(name) ?? '';
    fields.delete(name);
    return percentEncode(asText(value));
  });
  const pairs = [...fields].map(([name, value]) => `${percentEncode(name)}=${percentEncode(asText(value))}`);
  return { ...query, path: pairs.length > 0 ? `${filled}?${pairs.join('&')}` : filled };
}

/** Commands that make something more often, and those that delete it less. */
const weightOf = ({ name }: Target) => (/create$/i.test(name) ? 8 : /erase|delete/i.test(name) ? 1 : 4);
const anyTarget = <T>(draw: (target: Target) => fc.Arbitrary<T>, among = targets) =>
  fc.oneof(...among.map((target) => ({ weight: weightOf(target), arbitrary: draw(target) })));
const transport = fc.constantFrom<Transport>('rest', 'trpc');

const validShot = anyTarget((target) =>
  fc.tuple(transport, validInput(target)).map(([over, input]) => requestOf(target, over, input)),
);
const mutatedShot = anyTarget((target) =>
  fc.tuple(transport, mutatedInput(target)).map(([over, input]) => requestOf(target, over, input)),
);

const nested = (open: string, inner: string, close: string) =>
  fc.nat(45_000).map((n) => open.repeat(n) + inner + close.repeat(n));
const garbage = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '{',
    'null',
    '"abc"',
    '[]',
    '5',
    'NaN',
    "{'a':1}",
    '[1,]',
    '{}{}',
    '\ufeff{}',
    '{"a":1,"a":2}',
  ),
  fc.constantFrom('\xff', '{"shortId":"\xc0\x80"}', '"\xed\xa0\x80"', '{"a":"\x00"}', '\x1f\x8b\x08\x00'),
  nested('[', '', ']'),
  nested('{"a":', '1', '}'),
  fc.string({ unit: 'binary-ascii' }),
);
const contentType = fc.constantFrom(
  'text/plain',
  'application/jsonx',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/json; charset="utf-8"',
  'application/json;;',
  '',
);
const bodyShot = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(validShot, garbage).map(([shot, body]) => ({ ...shot, body, isBytes: true })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(validShot, fc.double({ min: 0, max: 0.999, noNaN: true }))
      .map(([shot, part]) => ({ ...shot, body: shot.body?.slice(0, Math.floor(shot.body.length * part)) ?? null })),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(validShot, contentType)
      .map(([shot, type]) => ({ ...shot, headers: [['Content-Type', type]] as [string, string][] })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(validShot, fc.constantFrom('gzip', 'br', 'deflate, gzip', 'identity', 'x'))
      .map(([shot, encoding]) => ({ ...shot, headers: [json, ['Content-Encoding', encoding]] as [string, string][] })),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(validShot, fc.integer({ min: -2, max: 40_000 })).map(([shot, more]) => {
      const { body } = shot;
      return { ...shot, body: body && body + ' '.repeat(256 * 1024 - body.length + more) };
    }),
  },
);

const pathPart = fc.oneof(
  fc.constantFrom(
    '%E0%A4%A',
    '%',
    '%zz',
    '%ff',
    '%C0%80',
    '%ED%A0%80',
    '%00',
    'a%20b',
    'a%2Fb',
    '..%2f',
    '%2e%2e',
    '..',
  ),
  fc.constantFrom(
    '%252e',
    '',
    '/',
    '//',
    ';x=1',
    '*',
    ':shortId',
    '{shortId}',
    '\xff\xfe',
    '%F0%9F%98%80',
    '__proto__',
    '@',
  ),
  fc.nat(17_000).map((length) => 'x'.repeat(length)),
  fc.string({ unit: 'binary' }).map(percentEncode),
);
const pathShot = fc
  .tuple(validShot, pathPart, fc.nat(), fc.constantFrom('put', 'insert', 'append'))
  .map(([{ isRefused: _, ...shot }, part, place, how]) => {
    const steps = shot.path.split(/(?=[/?])/);
    const at = place % steps.length;
    if (how === 'put') steps[at] = `/${part}`;
    else steps.splice(at, 0, how === 'insert' ? `/${part}` : part);
    const path = steps.join('');
    return { ...shot, path: path.startsWith('/') ? path : `/${path}` };
  });

const queryPart = fc.oneof(
  fc.constantFrom(
    'x=1',
    '__proto__=1',
    '__proto__[polluted]=1',
    'constructor.prototype.polluted=1',
    'guildId[$ne]=',
    '$where=1',
  ),
  fc.constantFrom(
    'limit=1&limit=2',
    'limit=%31',
    'limit=1e3',
    'limit=9007199254740993',
    'input={}',
    'batch=1',
    '=',
    '&&&',
    '%=%',
  ),
  fc.constantFrom('shortId=%E0%A4', 'input=%7B', 'batch=1&batch=1', 'guildId[]=1', 'q=%00', 'cursor=.', '?', '#a', '+'),
  fc.constantFrom(...unknownFields).map((name) => `${name}=1`),
  fc.string({ unit: 'binary' }).map(percentEncode),
);
const queryShot = fc.tuple(validShot, queryPart, fc.boolean()).map(([{ isRefused: _, ...shot }, part, alone]) => {
  const path = alone ? shot.path.replace(/\?.*/, '') : shot.path;
  return { ...shot, path: `${path}${path.includes('?') ? '&' : '?'}${part}` };
});

const methodShot = fc
  .tuple(
    validShot,
    fc.constantFrom('HEAD', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'GET', 'POST', 'TRACE', 'PROPFIND'),
  )
  .map(([{ isRefused: _, ...shot }, method]) => ({ ...shot, method }));

const call = (isQuery: boolean) => {
  const among = targets.filter((target) => target.isQuery === isQuery);
  const draw = (target: Target) =>
    fc.oneof(validInput(target), mutatedInput(target)).map((input) => [target.name, input] as const);
  return fc.oneof(
    { weight: 9, arbitrary: anyTarget(draw, among) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('nope', 'constructor', '__proto__', '', '.').map((name) => [name, {}] as const),
    },
  );
};
const same = (inputs: Input) => inputs;
const batchSize = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 5 }) }, fc.constantFrom(10, 11, 12));
const batchOf = (isQuery: boolean) =>
  fc.tuple(
    fc.constant(isQuery),
    fc.array(call(isQuery), { minLength: 12, maxLength: 12 }),
    batchSize,
    fc.constantFrom<(inputs: Input) => unknown>(same, same, same, Object.values, () => null),
    fc.constantFrom('batch=1', 'batch=1', 'batch=1', 'batch=true', ''),
  );
const batchShot = fc.oneof(batchOf(true), batchOf(false)).map(([isQuery, drawn, size, shape, batch]): Shot => {
  const calls = drawn.slice(0, size);
  const inputs = JSON.stringify(shape(Object.fromEntries(calls.map(([, input], place) => [place, input]))));
  const path = `/trpc/${calls.map(([name]) => name).join(',')}`;
  const common = { procedure: 'batch', transport: 'trpc' as const, headers: [json] };
  return isQuery
    ? { ...common, method: 'GET', path: `${path}?${batch}&input=${percentEncode(inputs)}`, body: null }
    : { ...common, method: 'POST', path: `${path}?${batch}`, body: inputs };
});

const pages = [
  '/health/live',
  '/health/ready',
  '/metrics',
  '/openapi.json',
  '/docs',
  '/docs/',
  '/docs/nope',
  '/',
  '/nope',
  '/trpc',
];
const pageShot = fc
  .tuple(fc.constantFrom(...pages), fc.constantFrom('GET', 'GET', 'HEAD', 'POST', 'OPTIONS'))
  .map(([path, method]): Shot => ({ procedure: 'page', transport: 'rest', method, path, headers: [], body: null }));

const oddHeader = fc.constantFrom<[string, string]>(
  ['X-Request-Id', 'mine.1'],
  ['X-Request-Id', 'a b'],
  ['X-Request-Id', 'x'.repeat(65)],
  ['Accept', 'text/html'],
  ['Accept', 'text/event-stream'],
  ['Trpc-Accept', 'application/jsonl'],
  ['Range', 'bytes=99999999-'],
  ['If-Match', '"x"'],
  ['If-None-Match', '*'],
  ['X-Http-Method-Override', 'DELETE'],
  ['X-Forwarded-For', "127.0.0.1, <script>, ' or 1=1"],
  ['Forwarded', 'for="[::1]";host=evil'],
  ['Cookie', '__proto__=1; a=\xff'],
  ['Origin', 'null'],
  ['Access-Control-Request-Method', 'PUT'],
  ['Te', 'trailers'],
  ['Referer', 'ldap://x'],
);

function ofKind(kind: string, weight: number, shot: fc.Arbitrary<Shot>) {
  const extra = fc.option(oddHeader, { freq: 4 });
  const arbitrary = fc.tuple(shot, keyKind, extra).map(
    ([drawn, key, header]): FuzzRequest => ({
      kind,
      key,
      ...drawn,
      headers: header ? [...drawn.headers, header] : drawn.headers,
    }),
  );
  return { weight, arbitrary };
}

/** Any request that an HTTP client can send. */
export const someRequest: fc.Arbitrary<FuzzRequest> = fc.oneof(
  ofKind('valid', 34, validShot),
  ofKind('mutated', 34, mutatedShot),
  ofKind('batch', 6, batchShot),
  ofKind('body', 8, bodyShot),
  ofKind('path', 6, pathShot),
  ofKind('query', 6, queryShot),
  ofKind('method', 4, methodShot),
  ofKind('page', 2, pageShot),
);
