import {
  type CounterfoilClient,
  CounterfoilError,
  type CounterfoilErrorType,
  type ErrorType,
  interactionUuid,
  isCounterfoilError,
  pages,
  parseTicketData,
  type RouterInputs,
  type RouterOutputs,
  type Ticket,
  Uuid,
} from '@counterfoil/client';
import { TRPCClientError } from '@trpc/client';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { z } from 'zod';

describe('interactionUuid', () => {
  const interactionId = '1305148572919640085';

  test('is the same for ever: bots repeat commands by it across versions', () => {
    expect(interactionUuid(interactionId)).toBe('bdffa182-9809-4b9e-ae77-17598b588fe2');
    expect(interactionUuid(interactionId, 'claim')).toBe('6ae37bcb-3ad1-4cc0-bfc7-d62f5207794b');
    expect(interactionUuid('99999999999999999', 'création 🎫')).toBe('5c13328d-8d3e-4d3f-97cf-25da890db6c3');
  });

  test('is a UUIDv4 that the service takes, another for each interaction and purpose', () => {
    const made = new Set<string>();
    for (let count = 0; count < 500; count += 1) {
      for (const purpose of [undefined, 'create', 'claim']) {
        const id = interactionUuid(String(10n ** 18n + BigInt(count)), purpose);
        expect(Uuid.parse(id)).toBe(id);
        made.add(id);
      }
    }
    expect(made.size).toBe(1500);
  });

  test.each(['', '123', '12345678901234567x', 1305148572919640085n])('refuses %o', (bad) => {
    expect(() => interactionUuid(bad as string)).toThrow('interactionId: Expected a Discord id');
  });
});

describe('parseTicketData', () => {
  const Order = z.object({ topic: z.string(), items: z.array(z.object({ count: z.int() })).default([]) });
  const ticket = (ticketData: string | null) => ({ ticketShortId: 'k7m2p9xq', ticketData });

  test('reads what the schema says', () => {
    const order = parseTicketData(ticket('{"topic":"billing","items":[{"count":2}]}'), Order);
    expect(order).toEqual({ topic: 'billing', items: [{ count: 2 }] });
    expectTypeOf(order).toEqualTypeOf<{ topic: string; items: { count: number }[] }>();
    const shout = parseTicketData(
      { ticketData: '"ok"' },
      z.string().transform((text) => text.length),
    );
    expect(shout).toBe(2);
    expectTypeOf(shout).toEqualTypeOf<number>();
  });

  test('a ticket without data is null to the schema', () => {
    expect(parseTicketData(ticket(null), Order.nullable())).toBeNull();
    expect(() => parseTicketData(ticket(null), Order)).toThrow(
      'The ticketData of ticket "k7m2p9xq" does not fit. ticketData: Invalid input: expected object, received null.',
    );
  });

  test('names the ticket and each field that does not fit', () => {
    const parse = () => parseTicketData(ticket('{"topic":1,"items":[{"count":2},{"count":"3"}]}'), Order);
    expect(parse).toThrow(
      'The ticketData of ticket "k7m2p9xq" does not fit. ticketData.topic: Invalid input: expected string, received ' +
        'number; ticketData.items.1.count: Invalid input: expected number, received string.',
    );
    expect(parse).toThrow(expect.objectContaining({ cause: expect.any(z.core.$ZodError) }));
    expect(() => parseTicketData({ ticketData: '{' }, Order)).toThrow('The ticketData does not fit. Not valid JSON.');
  });
});

describe('types', () => {
  test('of an error follow its type', () => {
    const error: unknown = new CounterfoilError('ticket_already_claimed', 'Taken.', { details: { claimedBy: '1' } });
    expect(error).toBeInstanceOf(TRPCClientError);
    if (!isCounterfoilError(error)) throw error;
    expectTypeOf(error).toEqualTypeOf<CounterfoilError>();
    expectTypeOf(error.type).toEqualTypeOf<CounterfoilErrorType>();
    expectTypeOf(error.code).toEqualTypeOf<number | null>();
    expectTypeOf(error.requestId).toEqualTypeOf<string | null>();
    expectTypeOf(error.issues).toEqualTypeOf<{ path: string; message: string }[] | undefined>();
    expectTypeOf<Exclude<CounterfoilErrorType, ErrorType>>().toEqualTypeOf<
      'connection_failed' | 'timed_out' | 'aborted' | 'unexpected_response'
    >();
    if (isCounterfoilError(error, 'owner_blocked')) {
      expectTypeOf(error.details).toEqualTypeOf<{ reason: string | null; expiresAt: string | null }>();
    }
    if (isCounterfoilError(error, 'timed_out')) expectTypeOf(error.details).toEqualTypeOf<undefined>();
    // @ts-expect-error: no such type.
    expect(isCounterfoilError(error, 'ticket_claimed')).toBe(false);
    if (!isCounterfoilError(error, 'ticket_already_claimed')) throw error;
    expectTypeOf(error.type).toEqualTypeOf<'ticket_already_claimed'>();
    expectTypeOf(error.details.claimedBy).toEqualTypeOf<string>();
    expect(error.details.claimedBy).toBe('1');
  });

  test('of calls are those of the router', () => {
    expectTypeOf<CounterfoilClient['tickets']['claim']['mutate']>()
      .parameter(0)
      .toEqualTypeOf<RouterInputs['tickets']['claim']>();
    expectTypeOf<RouterInputs['tickets']['claim']>().toEqualTypeOf<{
      shortId: string;
      discordId: string;
      actorId?: string | undefined;
      expectedVersion?: number | undefined;
      commandId?: string | undefined;
    }>();
    expectTypeOf<RouterOutputs['tickets']['get']>().toEqualTypeOf<Ticket>();
    expectTypeOf<Awaited<ReturnType<CounterfoilClient['tickets']['get']['query']>>>().toEqualTypeOf<Ticket>();
  });

  test('of pages are those of the list', () => {
    const all = (client: CounterfoilClient) => pages((cursor) => client.tickets.list.query({ cursor }));
    expectTypeOf(all).returns.toEqualTypeOf<AsyncGenerator<RouterOutputs['tickets']['list'], void, undefined>>();
    // @ts-expect-error: not a list.
    expect(pages(() => Promise.resolve({ tickets: [] }))).toBeDefined();
  });
});
