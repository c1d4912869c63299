/** What a client called, as it wrote it down; times are milliseconds since 1970, with fractions. */
export interface Call {
  kind: 'call';
  client: number;
  op: 'create' | 'claim' | 'unclaim' | 'transfer' | 'close' | 'note' | 'read';
  ticket: string;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has an input of its own.
  input: any;
  calledAt: number;
  returnedAt: number;
  /** `ok`, or the type of the error. */
  outcome: string;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has an answer of its own.
  answer: any;
}

/** One request over HTTP: a call of a client that tries again makes several. */
export interface Attempt {
  kind: 'attempt';
  at: number;
  ms: number;
  /** 0 where there was no answer. */
  status: number;
  /** The type of the error; the procedure's path for all others. */
  type: string;
  url: string;
}

export interface History {
  calls: Call[];
  attempts: Attempt[];
}

/** What ends a call without telling whether it took effect. */
const unknown = new Set(['outcome_unknown', 'connection_failed', 'timed_out', 'aborted', 'unexpected_response']);

/** Whether a call that was made in one attempt may or may not have taken effect. */
export const isUnknown = ({ outcome }: Pick<Call, 'outcome'>): boolean => unknown.has(outcome);

/** The calls of each ticket. */
export function byTicket(calls: Call[]): Map<string, Call[]> {
  const tickets = new Map<string, Call[]>();
  for (const call of calls) {
    const own = tickets.get(call.ticket);
    if (own) own.push(call);
    else tickets.set(call.ticket, [call]);
  }
  return tickets;
}

/** Each second's answered and failed requests, in seconds from `start`. */
export function timelineOf({ attempts }: History, start: number) {
  const seconds = new Map<number, { second: number; succeeded: number; failed: number }>();
  for (const { at, ms, status } of attempts) {
    const second = Math.max(0, Math.floor((at + ms - start) / 1000));
    const entry = seconds.get(second) ?? { second, succeeded: 0, failed: 0 };
    if (status > 0 && status < 500) entry.succeeded += 1;
    else entry.failed += 1;
    seconds.set(second, entry);
  }
  return [...seconds.values()].sort((one, other) => one.second - other.second);
}

/** How requests ended that did not succeed, each type with its number; the slowest; and the longest time without a success. */
export function figuresOf({ attempts }: History): Record<string, number | string> {
  const types = new Map<string, number>();
  for (const { status, type } of attempts) {
    if (status === 0 || status >= 500) types.set(type, (types.get(type) ?? 0) + 1);
  }
  const slowest = attempts.reduce((most, { ms }) => Math.max(most, ms), 0);
  return {
    requests: attempts.length,
    'answers of 503, or none': [...types].map(([type, count]) => `${count} ${type}`).join(', ') || 'none',
    'longest without a success': `${(longestGap(attempts) / 1000).toFixed(1)} s`,
    'slowest request': `${(slowest / 1000).toFixed(1)} s`,
  };
}

/** Milliseconds of the longest time between two successes. */
function longestGap(attempts: Attempt[]): number {
  const successes = attempts
    .filter(({ status }) => status === 200)
    .map(({ at, ms }) => at + ms)
    .sort((one, other) => one - other);
  return successes.reduce((most, at, place) => Math.max(most, at - (successes[place - 1] ?? at)), 0);
}

/** What may be answered whatever happens to the database. */
const expected = new Set([200, 409, 503]);

/** What no caller must be answered: nothing, a 5xx that is not 503, or a refusal of what is there and in order. */
export function forbiddenAnswers({ attempts }: History): string[] {
  const wrong = attempts.filter(({ status, type }) => !expected.has(status) && type !== 'ticket_not_claimed');
  return [...new Set(wrong.map(({ status, type }) => `was answered ${status} ${type}`))];
}
