import fc from 'fast-check';
import { z } from 'zod';
import { procedures } from '../harness.ts';

/** As much of JSON Schema as the inputs of procedures use. */
interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  anyOf?: JsonSchema[];
  items?: JsonSchema;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  examples?: unknown[];
  /** What a schema that JSON Schema cannot express says of itself, for the document. */
  override?: JsonSchema;
}

/** A procedure as the fuzz knows it: all of it read off the router. */
export interface Target {
  name: string;
  isQuery: boolean;
  /** Its REST path, where it has one. */
  path: string | undefined;
  schema: z.ZodType;
  fields: Record<string, JsonSchema>;
  required: string[];
  /** An input that its documentation shows. */
  example: Record<string, unknown>;
}

function exampleOf(schema: JsonSchema): unknown {
  const { examples, enum: values, anyOf } = { ...schema, ...schema.override };
  return examples?.[0] ?? values?.[0] ?? (anyOf?.[0] && exampleOf(anyOf[0]));
}

function targetOf(name: string): Target {
  const { type, meta, inputs } = procedures[name]?._def ?? { type: 'query', inputs: [] };
  const schema = inputs[0] ?? z.undefined();
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
  const { properties: fields = {}, required = [] } = json;
  const example =
    exampleOf(json) ?? Object.fromEntries(required.map((field) => [field, exampleOf(fields[field] ?? {})]));
  const isQuery = type === 'query';
  return { name, isQuery, path: meta?.openapi?.path, schema, fields, required, example: { ...Object(example) } };
}

/** Every procedure of the router. */
export const targets: Target[] = Object.keys(procedures).map(targetOf);

// Few ids and names, so that requests meet what others have made.
const idsOf = (first: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${first}${String(n).padStart(17, '0')}`);
export const guilds = idsOf('1', 4);
const people = idsOf('2', 6);
const uuids = Array.from({ length: 6 }, (_, n) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`);
const shortIds = Array.from({ length: 8 }, (_, n) => `short-${n}`);
const words = ['support', 'billing', 'one', 'two', 'three'];

/** Known values of a string field, by what its schema and its name say of it. */
function knownTexts(field: string, { pattern, format }: JsonSchema): string[] {
  if (format === 'uuid') return uuids;
  if (pattern?.includes('[0-9]{17,20}')) return /guild/i.test(field) ? guilds : people;
  return /shortId/i.test(field) ? shortIds : words;
}

function text(field: string, schema: JsonSchema): fc.Arbitrary<string> {
  const { pattern, format, minLength = 0, maxLength = 50 } = schema;
  if (format === 'json') return fc.json({ maxDepth: 3 });
  if (format === 'date-time') {
    const [min, max] = [new Date('2020-01-01'), new Date('2030-01-01')];
    return fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
  }
  if (pattern?.includes('{1,400}')) return fc.stringMatching(/^[\w-]{1,40}\.[\w-]{22}$/);
  const isOfForm = format === 'uuid' || pattern?.startsWith('^[0-9]');
  const fresh = isOfForm
    ? fc.stringMatching(new RegExp(pattern ?? ''))
    : fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 50) });
  return fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...knownTexts(field, schema)) },
    { weight: 1, arbitrary: fresh },
  );
}

/** Values that a schema takes, nearly always: what it checks beyond JSON Schema is left to chance. */
function valid(field: string, schema: JsonSchema): fc.Arbitrary<unknown> {
  const {
    type,
    enum: values,
    const: only,
    anyOf,
    items,
    properties,
    minimum,
    maximum,
  } = { ...schema, ...schema.override };
  if (only !== undefined) return fc.constant(only);
  if (values) return fc.constantFrom(...values);
  if (anyOf) return fc.oneof(...anyOf.map((one) => valid(field, one)));
  if (type === 'string') return text(field, schema);
  if (type === 'integer') return fc.integer({ min: minimum ?? 0, max: Math.min(maximum ?? 3, 3) });
  if (type === 'number') return fc.double({ min: minimum ?? 0, max: maximum ?? 3, noNaN: true });
  if (type === 'boolean') return fc.boolean();
  if (type === 'null') return fc.constant(null);
  if (type === 'array') return fc.uniqueArray(valid(field, items ?? {}), { maxLength: 3 });
  if (properties) return fc.record(mapped(properties));
  return fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 });
}

function mapped(fields: Record<string, JsonSchema>): Record<string, fc.Arbitrary<unknown>> {
  return Object.fromEntries(Object.entries(fields).map(([field, schema]) => [field, valid(field, schema)]));
}

export type Input = Record<string, unknown>;

/** Inputs as a procedure wants them: all that it needs, and a few of the fields that it can do without. */
export function validInput({ fields, required }: Target): fc.Arbitrary<Input> {
  const optional = Object.keys(fields).filter((field) => !required.includes(field));
  const chosen = fc.subarray(optional, { maxLength: Math.min(optional.length, 3) });
  return fc
    .tuple(fc.record(mapped(fields)), chosen)
    .map(([input, extra]) =>
      Object.fromEntries(Object.entries(input).filter(([field]) => required.includes(field) || extra.includes(field))),
    );
}

/** Values that no field of the contract takes: operators, lists, objects, what JavaScript cannot hold, broken texts. */
export const neverTaken: readonly unknown[] = [
  { $ne: null },
  { $gt: '' },
  { $regex: '^b' },
  { $where: 'sleep(100) || true' },
  ['1'],
  [[]],
  JSON.parse('{"__proto__":{"polluted":1}}'),
  { constructor: { prototype: { polluted: 1 } } },
  Number('9007199254740993123'),
  -1.5,
  '\ud800',
  'a\0b',
];

/** Values that a field may take, or not. */
const doubtful = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    'false',
    '12',
    12,
    0,
    -1,
    1e308,
    '',
    ' ',
    '.',
    '..',
    '__proto__',
    'constructor',
  ),
  fc.constantFrom('\u202eabc', '%00', '%2e%2e%2f', "'; return true; //", 'ﷺ'.repeat(64), '😀', '\ufeff', 'é'),
  fc.nat(7000).map((length) => 'x'.repeat(length)),
  fc.integer({ min: 1, max: 400 }).map((depth) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`)),
  fc.jsonValue(),
  fc.string({ unit: 'binary' }),
);

const hostile = fc.oneof(fc.constantFrom(...neverTaken), doubtful);

/** Names that no input has. */
export const unknownFields = ['__proto__', 'constructor', 'prototype', '$set', '$where', 'toString', 'a.b', 'extra'];

function without(input: Input, field: string): Input {
  return Object.fromEntries(Object.entries(input).filter(([name]) => name !== field));
}

function marked(value: unknown, mark: string, ahead: boolean): string {
  const text = typeof value === 'string' ? value : '';
  return ahead ? mark + text : text + mark;
}

/** Inputs of which one thing is wrong, or may be. */
export function mutatedInput(target: Target): fc.Arbitrary<unknown> {
  const field = fc.constantFrom('extra', ...Object.keys(target.fields));
  const name = fc.oneof(fc.constantFrom(...unknownFields), fc.string({ unit: 'binary', maxLength: 8 }));
  const input = validInput(target);
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(input, field, hostile).map(([given, place, value]) => ({ ...given, [place]: value })),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(input, name, hostile).map(([given, place, value]) => ({ ...given, [place]: value })),
    },
    { weight: 1, arbitrary: fc.tuple(input, field).map(([given, place]) => without(given, place)) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(input, field, fc.constantFrom('\0', '\ud800', '\udc00x', '\u202e', '\u200b', '\n'), fc.boolean())
        .map(([given, place, mark, ahead]) => ({
          ...given,
          [place]: marked(given[place], mark, ahead),
        })),
    },
    {
      weight: 1,
      arbitrary: fc.oneof(
        hostile,
        input.map((given) => [given]),
      ),
    },
  );
}
