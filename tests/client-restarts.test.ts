import { createClient, isCounterfoilError } from '@counterfoil/client';
import { mongo } from 'mongoose';
import { expect, inject, test } from 'vitest';
import { shortId, snowflake } from './harness.ts';
import { startServer, until } from './server-process.ts';

const key = 'restarts-test-key-of-the-environment';
const calls = 2_000;
const kills = 10;
/** Bots that call at once. */
const callers = 16;

interface StoredTicket {
  _id: string;
  ticketData: string;
  version: number;
  history: { type: string; commandId: string }[];
}

/** The real server on a database of its own, which is killed and started again on the same port. */
async function startMortalServer() {
  const uri = new URL(inject('mongodbUri'));
  uri.pathname = `/restarts-${shortId()}`;
  const env = { MONGODB_URI: uri.href, COUNTERFOIL_KEY: key, LOG_LEVEL: 'silent' };
  let server = await startServer({ env });
  const { url } = server;
  const client = new mongo.MongoClient(uri.href);
  const tickets = client.db().collection<StoredTicket>('tickets');
  return {
    url,
    tickets,
    /** Kills it when a change of a ticket has been written, and most often not been answered yet. */
    async killAndRestart() {
      const changes = tickets.watch();
      await changes.next();
      server.kill('SIGKILL');
      await Promise.all([server.exited, changes.close()]);
      server = await startServer({ env: { ...env, PORT: new URL(url).port } });
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await client.close();
    },
  };
}

/** Counts how often each command was sent, by its commandId. */
function countSent() {
  const sent = new Map<string, number>();
  const counting: typeof fetch = (url, init) => {
    if (typeof init?.body === 'string') {
      for (const [, commandId = ''] of init.body.matchAll(/"commandId":"([^"]+)"/g)) {
        sent.set(commandId, (sent.get(commandId) ?? 0) + 1);
      }
    }
    return fetch(url, init);
  };
  return { sent, counting };
}

test('a server that is killed ten times under 2,000 calls: each ends well or with a typed error, and took effect once', async () => {
  await using server = await startMortalServer();
  const { sent, counting } = countSent();
  const counterfoil = createClient({ url: server.url, key, fetch: counting });
  const guildId = snowflake();
  /** The types of the errors, and how many calls ended with each. */
  const errors = new Map<string, number>();
  /** Creates that were answered as repetitions: their first answer was lost. */
  let repeated = 0;
  let begun = 0;
  let ended = 0;
  /** The ticketIds by the number of the create, and the changes of each that were acknowledged. */
  const acknowledged = new Map<number, string[]>();
  let creates = 0;

  /** Waits for a call; null where it ends with a typed error. */
  async function outcome<T>(call: Promise<T>): Promise<T | null> {
    begun += 1;
    try {
      return await call;
    } catch (error) {
      if (!isCounterfoilError(error)) throw error;
      errors.set(error.type, (errors.get(error.type) ?? 0) + 1);
      return null;
    } finally {
      ended += 1;
    }
  }

  async function call() {
    while (begun < calls) {
      creates += 1;
      const number = creates;
      const fields = { ticketType: 'support', guildId, ticketOwner: snowflake(), ticketData: { number } };
      const made = await outcome(counterfoil.tickets.create.mutate(fields));
      if (!made) continue;
      const changes = ['create'];
      acknowledged.set(number, changes);
      if (!made.created) repeated += 1;
      const { ticketShortId } = made.ticket;
      const discordId = snowflake();
      const claimed = await outcome(counterfoil.tickets.claim.mutate({ shortId: ticketShortId, discordId }));
      if (claimed) changes.push('claim');
      const closed = await outcome(counterfoil.tickets.close.mutate({ shortId: ticketShortId, closedBy: discordId }));
      if (closed) changes.push('close');
      // What was sent again answers as the first attempt would have.
      expect([claimed?.changed, closed?.changed]).not.toContain(false);
    }
  }

  async function kill() {
    for (let killed = 1; killed <= kills; killed += 1) {
      await until(() => ended >= (killed * calls) / (kills + 1), 90_000);
      await server.killAndRestart();
    }
  }

  await Promise.all([kill(), ...Array.from({ length: callers }, call)]);
  const resent = [...sent.values()].filter((times) => times > 1).length;
  console.log(
    `${ended} calls: ${resent} sent more than once, ${repeated} creates whose answer was lost, errors:`,
    Object.fromEntries(errors),
  );
  expect(ended).toBeGreaterThanOrEqual(calls);
  // One commandId a call, however often it was sent.
  expect(sent.size).toBe(ended);
  expect(resent).toBeGreaterThanOrEqual(kills);
  // What passes by itself, and nothing else.
  const passing = ['connection_failed', 'timed_out', 'outcome_unknown', 'database_unavailable', 'overloaded'];
  expect(passing).toEqual(expect.arrayContaining([...errors.keys()]));

  const tickets = await server.tickets.find().toArray();
  const numbers = tickets.map(({ ticketData }) => JSON.parse(ticketData).number as number);
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(new Set(numbers)).toEqual(new Set([...numbers, ...acknowledged.keys()]));
  expect(Math.max(...numbers)).toBeLessThanOrEqual(creates);
  const commandIds: string[] = [];
  for (const [place, { history, version }] of tickets.entries()) {
    const types = history.map(({ type }) => type);
    expect(new Set(types).size).toBe(types.length);
    expect(types).toEqual(expect.arrayContaining(acknowledged.get(numbers[place] as number) ?? []));
    expect(version).toBe(history.length);
    commandIds.push(...history.map(({ commandId }) => commandId));
  }
  expect(new Set(commandIds).size).toBe(commandIds.length);
});
