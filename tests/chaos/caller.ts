import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type Agent, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { snowflake } from '../snowflake.ts';
import { key } from './one-member.ts';

/** A request of the REST face; with an input it is a POST. */
export interface Request {
  path: string;
  input?: object;
  /** The X-Request-Id, by which the log of the service knows it. */
  id?: string;
}

/** What came back of one attempt, or why nothing did: a code of the connection, such as ECONNREFUSED. */
export type Attempt =
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape.
  { status: number; body: any; code: null } | { status: 0; body: null; code: string };

/** Sends a request once, whatever becomes of it. */
export async function attempt(
  url: string,
  { path, input, id = randomUUID() }: Request,
  agent?: Agent,
): Promise<Attempt> {
  const body = input && JSON.stringify(input);
  const headers = {
    authorization: key,
    'x-request-id': id,
    ...(body && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
  };
  try {
    const sent = request(url + path, { method: body ? 'POST' : 'GET', headers, ...(agent && { agent }) });
    sent.end(body);
    const [answer] = await once(sent, 'response');
    return { status: answer.statusCode, body: JSON.parse(await text(answer)), code: null };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { status: 0, body: null, code: code ?? message };
  }
}

/** Sends a request again until it is answered with something else than 503; throws after a minute. */
export async function insist(url: string, request: Request): Promise<Attempt & { code: null }> {
  for (const giveUpAt = performance.now() + 60_000; performance.now() < giveUpAt; await sleep(50)) {
    const answer = await attempt(url, request);
    if (answer.code === null && answer.status !== 503) return answer;
  }
  throw new Error(`no answer to ${request.path} for a minute`);
}

/** Calls so many times a second, whatever becomes of the calls, until `isEnough`; resolves when all have ended. */
export async function atRate(rate: number, isEnough: () => boolean, call: (turn: number) => Promise<unknown>) {
  const underWay = new Set<Promise<unknown>>();
  const startedAt = performance.now();
  for (let turn = 0; !isEnough(); await sleep(2)) {
    const due = ((performance.now() - startedAt) / 1000) * rate;
    for (; turn < due; turn += 1) {
      const called: Promise<unknown> = call(turn).finally(() => underWay.delete(called));
      underWay.add(called);
    }
  }
  await Promise.all(underWay);
}

/** The create of a ticket in a guild, and the short id by which the other commands call it. */
export function newTicket(guildId: string) {
  const [ticketId, ticketShortId, commandId] = [randomUUID(), randomUUID().slice(0, 13), randomUUID()];
  return { ticketType: 'support', guildId, ticketOwner: snowflake(), ticketId, ticketShortId, commandId };
}

/** Counts answered and failed calls by the second, and what was done meanwhile, for the plot of a run. */
export function keepTime() {
  const startedAt = performance.now();
  const seconds: { second: number; succeeded: number; failed: number }[] = [];
  const faults: { second: number; what: string }[] = [];
  const now = () => (performance.now() - startedAt) / 1000;
  return {
    count(what: 'succeeded' | 'failed') {
      const second = Math.floor(now());
      for (let next = seconds.length; next <= second; next += 1)
        seconds.push({ second: next, succeeded: 0, failed: 0 });
      const counts = seconds[second];
      if (counts) counts[what] += 1;
    },
    note: (what: string) => void faults.push({ second: Math.round(now() * 10) / 10, what }),
    timeline: seconds,
    faults,
  };
}

/** How often each of some words occurs. */
export function tally(words: string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts].map(([word, count]) => `${count} ${word}`).join(', ') || 'none';
}
