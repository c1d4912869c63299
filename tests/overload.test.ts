import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { makeKey } from 'counterfoil/keys/secret';
import { limitLoad } from 'counterfoil/operations/load';
import { Ticket } from 'counterfoil/tickets/model';
import { trusted } from 'mongoose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newTicket } from './contract.ts';
import { type App, callsTo, snowflake, startApp } from './harness.ts';
import { startMongod } from './mongod.ts';
import { startServer } from './server-process.ts';

const most = 3;
const burst = 40;

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app[Symbol.asyncDispose]());
beforeEach(() => {
  limitLoad(most);
  return () => limitLoad(Number.POSITIVE_INFINITY);
});

const newTickets = (count: number) => Array.from({ length: count }, newTicket);

/** Which of these tickets are there. */
async function stored(tickets: { ticketId: string }[]): Promise<string[]> {
  const ids = tickets.map(({ ticketId }) => ticketId);
  const found = await Ticket.find({ _id: trusted({ $in: ids }) }, { _id: 1 }).lean();
  return found.map(({ _id }) => _id).toSorted();
}

const idsOf = (tickets: { ticketId: string }[]) => tickets.map(({ ticketId }) => ticketId).toSorted();

describe.each(['rest', 'trpc'] as const)('more calls at once than there is room for, over %s', (transport) => {
  test('are made or refused as overloaded, whole, and are all answered afterwards', async () => {
    const tickets = newTickets(burst);
    const health = ['/health/live', '/health/ready'].map((path) => fetch(app.url + path));
    const answers = await Promise.all(tickets.map((ticket) => app[transport]('tickets.create', ticket)));
    const refused = tickets.filter((_, place) => answers[place]?.status === 503);
    const made = tickets.filter((_, place) => answers[place]?.status === 200);
    expect(made.length + refused.length).toBe(burst);
    expect(Math.min(made.length, refused.length)).toBeGreaterThan(0);
    for (const { error, headers } of answers.filter(({ status }) => status === 503)) {
      expect([error?.type, headers.get('retry-after')]).toEqual(['overloaded', '1']);
    }
    for (const probe of health) expect((await probe).status).toBe(200);
    expect(await stored(tickets)).toEqual(idsOf(made));
    for (const ticket of refused) {
      expect(await app[transport]('tickets.create', ticket)).toMatchObject({ status: 200, data: { created: true } });
    }
    expect(await stored(tickets)).toEqual(idsOf(tickets));
  });
});

test('each call of a tRPC batch finds room or not for itself', async () => {
  const tickets = newTickets(10);
  const path = `/trpc/${tickets.map(() => 'tickets.create').join(',')}?batch=1`;
  const response = await app.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...tickets }),
  });
  const answers = (await response.json()) as { result?: object; error?: { data: { type: string } } }[];
  const made = tickets.filter((_, place) => answers[place]?.result);
  const types = answers.flatMap(({ error }) => error?.data.type ?? []);
  expect([made.length, types]).toEqual([most, Array(10 - most).fill('overloaded')]);
  expect(response.headers.get('retry-after')).toBe('1');
  expect(await stored(tickets)).toEqual(idsOf(made));
});

test('refused calls leave room to others', async () => {
  for (let round = 0; round < 3; round += 1) {
    const answers = await Promise.all(
      newTickets(burst).map((ticket) => app.rest('tickets.create', { ...ticket, ticketType: round === 0 ? '' : 'a' })),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].toSorted()).toEqual(round === 0 ? [400] : [200, 503]);
  }
  limitLoad(Number.POSITIVE_INFINITY);
  const answers = await Promise.all(newTickets(burst).map((ticket) => app.trpc('tickets.create', ticket)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
});

test('connections that are refused again and again are read a part at a time', async () => {
  limitLoad(0);
  const body = JSON.stringify(newTicket());
  const head = `POST /tickets/create HTTP/1.1\r\nHost: here\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const sockets = Array.from({ length: 1000 }, () => connect(Number(new URL(app.url).port), '127.0.0.1'));
  async function ask(socket: Socket) {
    socket.write(head + body);
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1.1 503 /);
  }
  await Promise.all(sockets.map(ask));
  const inTurns: number[] = [];
  let [answered, isOver] = [0, false];
  const watchTurns = () => {
    inTurns.push(answered);
    answered = 0;
    if (!isOver) setImmediate(watchTurns);
  };
  setImmediate(watchTurns);
  await Promise.all(
    sockets.map(async (socket) => {
      for (let time = 1; time <= 5; time += 1) {
        await ask(socket);
        answered += 1;
      }
      socket.destroy();
    }),
  );
  isOver = true;
  // When nobody waits for a turn any more all may be read at once: only then.
  const [, most = 0] = inTurns.toSorted((a, b) => b - a);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(500);
});

test('what waits for the database to be authorized is bounded too', async () => {
  await using mongod = await startMongod();
  const env = { MONGODB_URI: mongod.uri, COUNTERFOIL_KEY: 'overload-test-key-of-the-environment' };
  await using server = await startServer({ env: { ...env, MAX_CONCURRENT_CALLS: '5' } });
  await mongod.freeze();
  const { rest } = callsTo(server.url, '');
  const unknown = Array.from({ length: burst }, () => makeKey().key);
  const answers = await Promise.all(unknown.map((key) => rest('users.exists', { discordId: snowflake() }, key)));
  const types = answers.map(({ error }) => error?.type);
  expect(types.filter((type) => type === 'database_unavailable')).toHaveLength(5);
  expect(types.filter((type) => type === 'overloaded')).toHaveLength(burst - 5);
  mongod.thaw();
});
