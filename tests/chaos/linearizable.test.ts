import { describe, expect, test } from 'vitest';
import type { Call } from './history.ts';
import { findViolations, isLinearizable } from './linearizable.ts';

const [ann, bob] = ['100000000000000001', '100000000000000002'] as const;

/** A call from one moment to another. */
function call(
  [calledAt, returnedAt]: [number, number],
  op: Call['op'],
  discordId: string | null,
  outcome: string,
  answer: object | null = null,
  ticket = 't',
): Call {
  const input = { shortId: ticket, ...(discordId && { discordId }) };
  return { kind: 'call', client: 1, op, ticket, input, calledAt, returnedAt, outcome, answer };
}

const state = (claimedBy: string | null, version: number, closed = false) => ({ claimedBy, version, closed });
const changed = (claimedBy: string | null, version: number, closed = false) => ({
  changed: true,
  ...state(claimedBy, version, closed),
});
const unchanged = (claimedBy: string | null, version: number, closed = false) => ({
  ...changed(claimedBy, version, closed),
  changed: false,
});

const right: Record<string, Call[]> = {
  'one after the other': [
    call([0, 1], 'claim', ann, 'ok', changed(ann, 2)),
    call([2, 3], 'transfer', bob, 'ok', changed(bob, 3)),
    call([4, 5], 'unclaim', ann, 'not_the_claimer'),
    call([6, 7], 'unclaim', bob, 'ok', changed(null, 4)),
    call([8, 9], 'close', null, 'ok', changed(null, 5, true)),
    call([10, 11], 'claim', ann, 'ticket_closed'),
    call([12, 13], 'read', null, 'ok', state(null, 5, true)),
  ],
  'two claims at once, the later call won': [
    call([0, 10], 'claim', ann, 'ticket_already_claimed', { claimedBy: bob }),
    call([1, 9], 'claim', bob, 'ok', changed(bob, 2)),
  ],
  'a read beside a claim sees it, another does not': [
    call([0, 10], 'claim', ann, 'ok', changed(ann, 2)),
    call([1, 2], 'read', null, 'ok', state(null, 1)),
    call([3, 4], 'read', null, 'ok', state(ann, 2)),
  ],
  'an unknown outcome that took effect long after': [
    call([0, 1], 'claim', ann, 'outcome_unknown'),
    call([2, 3], 'read', null, 'ok', state(null, 1)),
    call([4, 5], 'read', null, 'ok', state(ann, 2)),
  ],
  'an unknown outcome that never took effect': [
    call([0, 1], 'claim', ann, 'timed_out'),
    call([2, 3], 'claim', bob, 'ok', changed(bob, 2)),
    call([4, 5], 'read', null, 'ok', state(bob, 2)),
  ],
  'an unknown outcome that only a refusal tells of': [
    call([0, 1], 'claim', ann, 'connection_failed'),
    call([2, 3], 'claim', bob, 'ticket_already_claimed', { claimedBy: ann }),
  ],
  'a refusal that says that nothing was changed': [
    call([0, 1], 'claim', ann, 'database_unavailable'),
    call([2, 3], 'read', null, 'ok', state(null, 1)),
  ],
  'a close keeps the claimer': [
    call([0, 1], 'claim', ann, 'ok', changed(ann, 2)),
    call([2, 3], 'close', null, 'ok', changed(ann, 3, true)),
    call([4, 5], 'claim', ann, 'ok', unchanged(ann, 3, true)),
    call([6, 7], 'close', null, 'ok', unchanged(ann, 3, true)),
  ],
};

const wrong: Record<string, Call[]> = {
  'two claims that both won': [
    call([0, 10], 'claim', ann, 'ok', changed(ann, 2)),
    call([1, 9], 'claim', bob, 'ok', changed(bob, 2)),
  ],
  'a stale read': [call([0, 1], 'claim', ann, 'ok', changed(ann, 2)), call([2, 3], 'read', null, 'ok', state(null, 1))],
  'reads that run backwards beside a claim': [
    call([0, 10], 'claim', ann, 'ok', changed(ann, 2)),
    call([1, 2], 'read', null, 'ok', state(ann, 2)),
    call([3, 4], 'read', null, 'ok', state(null, 1)),
  ],
  'an acknowledged claim that was lost': [
    call([0, 1], 'claim', ann, 'ok', changed(ann, 2)),
    call([2, 3], 'claim', bob, 'ok', changed(bob, 2)),
  ],
  'an unknown outcome that took effect twice': [
    call([0, 1], 'claim', ann, 'outcome_unknown'),
    call([2, 3], 'unclaim', ann, 'ok', changed(null, 3)),
    call([4, 5], 'read', null, 'ok', state(ann, 4)),
  ],
  'an unknown outcome that took effect before its call': [
    call([0, 1], 'read', null, 'ok', state(ann, 2)),
    call([2, 3], 'claim', ann, 'outcome_unknown'),
  ],
  'a change by a command that was said to have changed nothing': [
    call([0, 1], 'claim', ann, 'database_unavailable'),
    call([2, 3], 'read', null, 'ok', state(ann, 2)),
  ],
  'a refusal that names who never claimed': [
    call([0, 1], 'claim', ann, 'ok', changed(ann, 2)),
    call([2, 3], 'claim', bob, 'ticket_already_claimed', { claimedBy: bob }),
  ],
  'a refusal without a cause': [call([0, 1], 'unclaim', ann, 'not_the_claimer')],
  'a claim after the close': [
    call([0, 1], 'close', null, 'ok', changed(null, 2, true)),
    call([2, 3], 'claim', ann, 'ok', changed(ann, 3, true)),
  ],
  'a change that is called none': [call([0, 1], 'claim', ann, 'ok', unchanged(ann, 2))],
};

describe('a history that is linearizable is found so', () => {
  test.each(Object.entries(right))('%s', (_, calls) => {
    expect(isLinearizable(calls)).toBe(true);
  });
});

describe('a history that is not linearizable is found so', () => {
  test.each(Object.entries(wrong))('%s', (_, calls) => {
    expect(isLinearizable(calls)).toBe(false);
  });
});

test('each ticket is judged for itself, and a violation names its own', () => {
  const calls = [...(right['one after the other'] ?? []), ...(wrong['a stale read'] ?? [])];
  const told = findViolations(calls.map((one, place) => ({ ...one, ticket: place < 7 ? 'good' : 'bad' })));
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/^ticket bad is not linearizable:\n.*claim 100000000000000001 → ok/);
});

test('a history with many unknown outcomes is judged without trying every order of them', () => {
  const unknown = Array.from({ length: 24 }, (_, place) => call([place, place + 1], 'claim', ann, 'timed_out'));
  const end = call([100, 101], 'read', null, 'ok', state(bob, 2));
  expect(isLinearizable([...unknown, end])).toBe(false);
});
