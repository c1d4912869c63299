import { request } from 'node:http';
import { Ticket } from 'counterfoil/tickets/model';
import { expect, inject, test } from 'vitest';
import { newTicket } from './contract.ts';
import { snowflake, startApp } from './harness.ts';
import { startServer } from './server-process.ts';

const key = 'contention-test-key-of-the-environment';

/** Posts JSON on a connection of its own. */
// biome-ignore lint/suspicious/noExplicitAny: whatever the service answers, the tests look at it.
function post(url: string, body: object): Promise<{ status: number; body: any }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: key, 'content-type': 'application/json' };
    const sent = request(url, { method: 'POST', agent: false, headers }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
    });
    sent.once('error', reject);
    sent.end(JSON.stringify(body));
  });
}

async function startTwoServers() {
  const env = { MONGODB_URI: inject('mongodbUri'), COUNTERFOIL_KEY: key };
  return Promise.all([startServer({ env }), startServer({ env })]);
}

test('64 people claim a ticket at once, through two processes and both transports: one wins, 63 learn who', async () => {
  await using app = await startApp();
  const servers = await startTwoServers();
  await using _one = servers[0];
  await using _two = servers[1];
  const targets = servers.flatMap(({ url }) => [`${url}/tickets/claim`, `${url}/trpc/tickets.claim`]);
  for (let round = 0; round < 50; round += 1) {
    const ticket = newTicket();
    await app.rest('tickets.create', ticket);
    const shortId = ticket.ticketShortId;
    const people = Array.from({ length: 64 }, snowflake);
    const answers = await Promise.all(
      people.map((discordId, place) => post(targets[place % targets.length] as string, { shortId, discordId })),
    );
    const winners = people.filter((_, place) => answers[place]?.status === 200);
    expect(winners).toHaveLength(1);
    const [claimedBy] = winners;
    for (const [place, { status, body }] of answers.entries()) {
      const won = body.result?.data ?? body;
      const lost = body.error?.data ?? body.error;
      if (people[place] === claimedBy) expect(won).toMatchObject({ changed: true, ticket: { claimedBy } });
      else
        expect({ status, ...lost }).toMatchObject({
          status: 409,
          type: 'ticket_already_claimed',
          details: { claimedBy },
        });
    }
    const stored = await Ticket.findById(ticket.ticketId).lean();
    expect(stored).toMatchObject({ claimedBy, version: 2, history: [{ type: 'create' }, { type: 'claim' }] });
  }
});

test('64 creates with one ticketId through two processes make one ticket', async () => {
  await using _app = await startApp();
  const servers = await startTwoServers();
  await using _one = servers[0];
  await using _two = servers[1];
  const targets = servers.flatMap(({ url }) => [`${url}/tickets/create`, `${url}/trpc/tickets.create`]);
  for (let round = 0; round < 10; round += 1) {
    const ticket = newTicket();
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, place) => post(targets[place % targets.length] as string, ticket)),
    );
    const made = answers.map(({ body }) => (body.result?.data ?? body).created);
    expect(made.filter((created) => created === true)).toHaveLength(1);
    expect(made.filter((created) => created === false)).toHaveLength(63);
    expect(await Ticket.countDocuments({ guildId: ticket.guildId })).toBe(1);
  }
});
