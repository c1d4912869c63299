/** The callers of the comparison of clients: a process of its own for each, so that its processor time is told apart. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createClient } from '@counterfoil/client';
import type { CreatedTicket, Ticket } from '@counterfoil/shared/tickets';
import type { z } from 'zod';
import { percentile } from './measure.ts';

export const sides = ['client', 'fetch'] as const;
export type Side = (typeof sides)[number];

/** What is called for some seconds: so many at once, and as many again when all of them were answered. */
export interface Work {
  operation: 'read' | 'create';
  atOnce: number;
  seconds: number;
}

export interface Figures {
  calls: number;
  seconds: number;
  /** Milliseconds until a call, or all that were made at once, came back. */
  p50: number;
  /** Seconds of processor time of the calling process. */
  processorTime: number;
}

interface Setup {
  side: Side;
  url: string;
  key: string;
  shortIds: string[];
}

interface Calls {
  read(shortId: string): Promise<{ ticketShortId: string }>;
  create(input: { ticketType: string; guildId: string; ticketOwner: string }): Promise<{ created: boolean }>;
}

/** The client that a bot's author would write: fetch and JSON, types by cast, no ids and no retries. */
function createByHand(url: string, key: string): Calls {
  const headers = { authorization: key, 'content-type': 'application/json' };
  async function call<Answer>(path: string, input?: object): Promise<Answer> {
    const body = JSON.stringify(input);
    const response = await fetch(url + path, input ? { method: 'POST', headers, body } : { headers });
    if (!response.ok) throw new Error(`${response.status} of ${path}: ${await response.text()}`);
    return (await response.json()) as Answer;
  }
  return {
    read: (shortId) => call<Ticket>(`/tickets/get/id/${encodeURIComponent(shortId)}`),
    create: (input) => call<z.infer<typeof CreatedTicket>>('/tickets/create', input),
  };
}

function createTyped(url: string, key: string): Calls {
  const { tickets } = createClient({ url, key });
  return {
    read: (shortId) => tickets.get.query({ shortId }),
    create: (input) => tickets.create.mutate(input),
  };
}

async function work(calls: Calls, shortIds: string[], { operation, atOnce, seconds }: Work): Promise<Figures> {
  const digits = (first: number, below: number) =>
    `${first}${String(Math.floor(Math.random() * below)).padStart(17, '0')}`;
  async function one(): Promise<void> {
    if (operation === 'create') {
      const ids = { guildId: digits(5, 1000), ticketOwner: digits(2, 1e9) };
      const { created } = await calls.create({ ticketType: 'support', ...ids });
      if (!created) throw new Error('a create has created nothing');
      return;
    }
    const shortId = shortIds[Math.floor(Math.random() * shortIds.length)] ?? '';
    const { ticketShortId } = await calls.read(shortId);
    if (ticketShortId !== shortId) throw new Error(`asked for ${shortId}, got ${ticketShortId}`);
  }

  const milliseconds: number[] = [];
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const end = startedAt + seconds * 1000;
  for (let at = startedAt; at < end; ) {
    await Promise.all(Array.from({ length: atOnce }, one));
    const now = performance.now();
    milliseconds.push(now - at);
    at = now;
  }
  const { user, system } = process.cpuUsage(before);
  return {
    calls: milliseconds.length * atOnce,
    seconds: (performance.now() - startedAt) / 1000,
    p50: percentile(milliseconds, 0.5),
    processorTime: (user + system) / 1e6,
  };
}

/** Starts the process of one side. */
export async function startCallers(setup: Setup) {
  const child = fork(fileURLToPath(import.meta.url), {
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, COUNTERFOIL_CALLERS_OF: JSON.stringify(setup) },
  });
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the callers ended with ${code}`)));
  ended.catch(() => {});
  return {
    side: setup.side,
    async work(order: Work): Promise<Figures> {
      const answered = once(child, 'message');
      child.send(order);
      return (await Promise.race([answered, ended]))[0];
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended.catch(() => {});
    },
  };
}

if (process.env.COUNTERFOIL_CALLERS_OF) {
  const { side, url, key, shortIds }: Setup = JSON.parse(process.env.COUNTERFOIL_CALLERS_OF);
  const calls = side === 'client' ? createTyped(url, key) : createByHand(url, key);
  process.on('message', async (order: Work) => process.send?.(await work(calls, shortIds, order)));
}
