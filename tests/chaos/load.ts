/** Calls the service as many clients at once, in a process of its own, and writes down what it called and what it was answered. */
import { randomInt, randomUUID } from 'node:crypto';
import { type CounterfoilClient, createClient, isCounterfoilError } from '@counterfoil/client';
import { snowflake } from '../snowflake.ts';
import type { Attempt, Call } from './history.ts';
import type { Plan } from './loads.ts';

const plan: Plan = JSON.parse(process.argv[2] ?? '{}');
const key = process.env.COUNTERFOIL_KEY ?? '';
const until = Date.now() + (plan.seconds ?? 3600) * 1000;
const now = () => performance.timeOrigin + performance.now();
const write = (line: Call | Attempt) => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** The global fetch, which writes down each request. */
const watchedFetch: typeof fetch = async (input, init) => {
  const url = new URL(String(input));
  const at = now();
  const note = (status: number, type: string) =>
    write({ kind: 'attempt', at, ms: now() - at, status, type, url: url.host });
  try {
    const response = await fetch(input, init);
    const text = await response.text();
    const procedure = url.pathname.replace('/trpc/', '');
    note(response.status, response.ok ? procedure : (JSON.parse(text).error?.data?.type ?? 'other'));
    return new Response(text, { status: response.status, headers: response.headers });
  } catch (error) {
    note(0, 'no answer');
    throw error;
  }
};

/** A client that begins with another address than the one before it. */
function clientOf(number: number): CounterfoilClient {
  const url = number % 2 === 0 ? plan.urls : plan.urls.toReversed();
  // A client of the linearizable history makes single attempts: what it is told is about this one.
  const given = plan.singleAttempts ? { url: url[0] ?? '', retries: 0 } : { url };
  return createClient({ ...given, key, batch: false, fetch: watchedFetch });
}

/** Calls, and writes down what came of it; answers whether it succeeded. */
async function call(
  client: number,
  op: Call['op'],
  ticket: string,
  input: object,
  // biome-ignore lint/suspicious/noExplicitAny: each procedure answers its own.
  send: () => Promise<any>,
): Promise<boolean> {
  const calledAt = now();
  const noted = { kind: 'call', client, op, ticket, input, calledAt } as const;
  try {
    const answer = await send();
    write({ ...noted, returnedAt: now(), outcome: 'ok', answer: short(answer) });
    return true;
  } catch (error) {
    if (!isCounterfoilError(error)) throw error;
    write({ ...noted, returnedAt: now(), outcome: error.type, answer: error.details ?? null });
    return false;
  }
}

/** What the checks look at. */
// biome-ignore lint/suspicious/noExplicitAny: each procedure answers its own.
function short(answer: any) {
  const { changed, created, note, ticket = note ? undefined : answer } = answer;
  const { claimedBy, closed, version, ticketNumber, guildId } = ticket ?? {};
  return { changed: changed ?? created, claimedBy, closed, version, ticketNumber, guildId };
}

const guilds = Array.from({ length: 3 }, snowflake);
const hasTime = () => Date.now() < until;

/** One ticket after the other: created, claimed, noted and closed, each with an id of its own. */
async function lives(number: number) {
  const client = clientOf(number);
  while (hasTime()) {
    const shortId = randomUUID();
    const claimer = snowflake();
    const create = {
      ticketId: randomUUID(),
      ticketShortId: shortId,
      ticketType: 'support',
      guildId: guilds[randomInt(3)] as string,
      ticketOwner: snowflake(),
    };
    const created = await call(number, 'create', shortId, create, () => client.tickets.create.mutate(create));
    if (!created) continue;
    const claim = { shortId, discordId: claimer, commandId: randomUUID() };
    await call(number, 'claim', shortId, claim, () => client.tickets.claim.mutate(claim));
    const note = { shortId, authorId: claimer, text: 'Looked into it', noteId: randomUUID() };
    await call(number, 'note', shortId, note, () => client.tickets.addNote.mutate(note));
    const close = { shortId, closedBy: claimer, commandId: randomUUID() };
    await call(number, 'close', shortId, close, () => client.tickets.close.mutate(close));
  }
}

/** Creates until all clients together have made so many, half of them in few guilds and half in many: both ways to count. */
let begun = 0;
const manyGuilds = Array.from({ length: 30 }, snowflake);
async function creates(number: number) {
  const client = clientOf(number);
  while (begun < (plan.count ?? 0)) {
    begun += 1;
    const among = randomInt(2) === 1 ? guilds : manyGuilds;
    const guildId = among[randomInt(among.length)] as string;
    // Half of them closed: two open tickets of one name, and so of one number, the index of names would refuse.
    const closed = randomInt(2) === 1;
    const input = { ticketType: 'support', guildId, ticketOwner: snowflake(), ticketId: randomUUID(), closed };
    await call(number, 'create', input.ticketId, input, () => client.tickets.create.mutate(input));
  }
}

/** All clients claim the same ticket at once, one ticket after the other. */
async function races() {
  const clients = Array.from({ length: plan.clients }, (_, number) => clientOf(number));
  for (const shortId of plan.tickets ?? []) {
    const claims = clients.map((client, number) => {
      const input = { shortId, discordId: snowflake() };
      return call(number, 'claim', shortId, input, () => client.tickets.claim.mutate(input));
    });
    await Promise.all(claims);
  }
}

/** All clients create at once for one owner, one owner after the other. */
async function rushes() {
  const clients = Array.from({ length: plan.clients }, (_, number) => clientOf(number));
  for (let round = 0; round < (plan.count ?? 0); round += 1) {
    const ticketOwner = snowflake();
    const rush = clients.map((client, number) => {
      const input = { ticketType: 'support', guildId: plan.guildId ?? '', ticketOwner, ticketId: randomUUID() };
      return call(number, 'create', ticketOwner, input, () => client.tickets.create.mutate(input));
    });
    await Promise.all(rush);
  }
}

/** How many calls a ticket of the linearizable history gets, and how many such tickets there are at once. */
const callsPerTicket = 60;
const ticketsAtOnce = 3;
/** The tickets that are called now. */
const current: { shortId: string; calls: number }[] = [];
const people = Array.from({ length: 4 }, snowflake);

/** Commands and reads by chance on a few tickets, each in a single attempt, by either process. */
async function contends(number: number) {
  const clients = [clientOf(0), clientOf(1)] as const;
  const maker = createClient({ url: plan.urls, key, batch: false, retries: 20 });
  while (hasTime()) {
    const place = randomInt(ticketsAtOnce);
    let ticket = current[place];
    if (!ticket || ticket.calls >= callsPerTicket) {
      ticket = { shortId: randomUUID(), calls: 0 };
      const input = { ticketType: 'support', guildId: guilds[0] as string, ticketOwner: snowflake() };
      const made = await maker.tickets.create.mutate({ ...input, ticketShortId: ticket.shortId }).catch(() => null);
      if (!made) continue;
      current[place] = ticket;
    }
    ticket.calls += 1;
    await contend(number, clients[randomInt(2)] as CounterfoilClient, ticket.shortId);
  }
}

async function contend(number: number, { tickets }: CounterfoilClient, shortId: string) {
  const discordId = people[randomInt(people.length)] as string;
  const input = { shortId, discordId };
  const chance = randomInt(100);
  if (chance < 30) return call(number, 'claim', shortId, input, () => tickets.claim.mutate(input));
  if (chance < 52) return call(number, 'unclaim', shortId, input, () => tickets.unclaim.mutate(input));
  if (chance < 66) return call(number, 'transfer', shortId, input, () => tickets.transfer.mutate(input));
  if (chance < 68) return call(number, 'close', shortId, { shortId }, () => tickets.close.mutate({ shortId }));
  return call(number, 'read', shortId, { shortId }, () => tickets.get.query({ shortId }));
}

const perClient = { lives, creates, contends };
if (plan.load === 'races') await races();
else if (plan.load === 'rushes') await rushes();
else
  await Promise.all(
    Array.from({ length: plan.clients }, (_, number) => perClient[plan.load as keyof typeof perClient](number)),
  );
