import { z } from 'zod';
import { limits } from './primitives.ts';

/** What keeps a JSON value from being stored, or null. Walks without recursion: the value may be deeply nested. */
function flaw(root: unknown, checkNumbers: boolean): string | null {
  const open: { value: unknown; depth: number }[] = [{ value: root, depth: 1 }];
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { value, depth } = item;
    if (checkNumbers && typeof value === 'number' && !isExact(value)) {
      return 'A number in the object cannot be held exactly: send ticketData as a string of JSON';
    }
    if (typeof value !== 'object' || value === null) continue;
    if (depth > limits.ticketDataDepth) return `Nested deeper than ${limits.ticketDataDepth} levels`;
    for (const child of Object.values(value)) open.push({ value: child, depth: depth + 1 });
  }
  return null;
}

function isExact(value: number): boolean {
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

function parse(text: string): { value: unknown } | null {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return null;
  }
}

function isTextOrObject(value: unknown): value is string | Record<string, unknown> {
  return typeof value === 'string' || (typeof value === 'object' && value !== null && !Array.isArray(value));
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

const tooLong = `Longer than ${limits.ticketDataBytes} bytes`;

const exactJson = { $ref: '#/components/schemas/ExactJson' };

/** JSON whose numbers JavaScript holds exactly, for the document; the server itself walks without recursion. */
export const ExactJson = z.unknown().meta({
  id: 'ExactJson',
  description: 'Any JSON value whose integers are at most ±(2^53 - 1), the ones that JavaScript holds exactly.',
  override: {
    anyOf: [
      { type: ['string', 'boolean', 'null'] },
      { type: 'number', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER },
      { type: 'array', items: exactJson },
      { type: 'object', additionalProperties: exactJson },
    ],
  },
});

/** `ticketData` as it comes in: JSON text, kept byte for byte, or a JSON object, kept as its `JSON.stringify`. */
export const TicketDataInput = z
  .custom<string | Record<string, unknown>>(isTextOrObject, { error: 'Expected a string of JSON, or a JSON object' })
  .meta({
    override: {
      anyOf: [
        {
          type: 'string',
          format: 'json',
          contentMediaType: 'application/json',
          maxLength: limits.ticketDataBytes,
          examples: ['{"topic":"billing","order":1042}'],
        },
        { type: 'object', additionalProperties: exactJson },
      ],
    },
  })
  .transform((value, context) => {
    const refuse = (message: string) => {
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    if (typeof value !== 'string') {
      const problem = flaw(value, true);
      if (problem) return refuse(problem);
      const text = JSON.stringify(value);
      return byteLength(text) > limits.ticketDataBytes ? refuse(tooLong) : text;
    }
    if (byteLength(value) > limits.ticketDataBytes) return refuse(tooLong);
    if (!value.isWellFormed()) return refuse('Lone surrogates are not allowed: send well-formed Unicode');
    const parsed = parse(value);
    if (!parsed) return refuse('Not valid JSON');
    const problem = flaw(parsed.value, false);
    return problem ? refuse(problem) : value;
  })
  .meta({
    description:
      'JSON of your own: a string of JSON (returned byte for byte), or an object (kept as its JSON.stringify). ' +
      'At most 64 KiB and 32 levels; in an object, integers up to ±(2^53 - 1): send a string for larger ones.',
  });
