import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandNames, maybe, person, someCommand, withoutAbsent } from './drawn.ts';
import { type App, type Call, callsTo, shortId, snowflake, startApp } from './harness.ts';
import { type Execution, judge, outcomeOf, type Telling, tellingOf } from './judge.ts';
import type { Command, Inputs } from './model.ts';

/** Which answers get lost: those to every third POST. */
const every = 3;

/** Stands between callers and the service at `port`, and loses the answer to every third POST: it took effect. */
async function startProxy(port: number) {
  const agent = new Agent({ keepAlive: true });
  let posts = 0;
  let lost = 0;

  async function pass(req: IncomingMessage, res: ServerResponse) {
    const { method, url: path, headers } = req;
    const isLost = method === 'POST' && ++posts % every === 0;
    const passed = request({ host: '127.0.0.1', port, agent, method, path, headers });
    passed.end(await buffer(req));
    const [answer] = (await once(passed, 'response')) as [IncomingMessage];
    const body = await buffer(answer);
    if (!isLost) return res.writeHead(answer.statusCode ?? 0, answer.headers).end(body);
    lost += 1;
    return req.socket.destroy();
  }

  const server = createServer((req, res) => pass(req, res).catch(() => req.socket.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lost: () => lost,
    async [Symbol.asyncDispose]() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Nothing for a call that ended without an answer, as it does where its connection breaks. */
function nothingIfBroken(error: unknown): undefined {
  if (!(error instanceof TypeError && error.message === 'fetch failed')) throw error;
}

const [owner, colleague, stranger] = ['100000000000000001', '100000000000000002', '100000000000000009'] as const;

/** What others do before a command is repeated: it takes back the command, which would then have its effect again. */
function opposite({ name, input }: Command): Command {
  const discordId = 'discordId' in input && input.discordId ? input.discordId : stranger;
  const commandId = randomUUID();
  switch (name) {
    case 'claim':
      return { name: 'unclaim', input: { commandId } };
    case 'unclaim':
      return { name: 'claim', input: { commandId, discordId } };
    case 'transfer':
      return { name, input: { commandId, discordId: stranger } };
    case 'close':
      return { name: 'reopen', input: { commandId } };
    case 'reopen':
      return { name: 'close', input: { commandId } };
    case 'update':
      return { name, input: { ...otherFields(input), commandId } };
    case 'addParticipant':
      return { name: 'removeParticipant', input: { commandId, discordId } };
    case 'removeParticipant':
      return { name: 'addParticipant', input: { commandId, discordId } };
    case 'rate':
      return { name, input: { commandId, discordId, rating: 3 } };
    case 'create':
      return { name: 'close', input: { commandId } };
  }
}

/** Another value for each of the fields that an update gives. */
function otherFields(input: Inputs['update']): Inputs['update'] {
  const others = {
    ticketName: 'other',
    ticketType: 'other',
    ticketOwner: input.ticketOwner === owner ? colleague : owner,
    ticketData: '{"other":1}',
    channelId: stranger,
    priority: input.priority === 'low' ? 'high' : 'low',
    labels: ['other'],
  };
  return Object.fromEntries(Object.entries(others).filter(([field]) => field in input));
}

const step = fc.record({
  ticket: fc.nat(1),
  what: fc.oneof({ weight: 12, arbitrary: someCommand }, { weight: 1, arbitrary: fc.constant('note' as const) }),
  actorId: maybe(person),
});
type Step = typeof step extends fc.Arbitrary<infer Drawn> ? Drawn : never;

const program = fc.array(fc.array(step, { minLength: 20, maxLength: 25 }), { minLength: 4, maxLength: 4 });

/** What callers lose and repeat on the tickets of a guild, while others act on them. */
async function run(app: App, viaProxy: Call[], callers: Step[][]) {
  const guildId = snowflake();
  const direct = [app.rest, app.trpc];
  const shortIds: string[] = [];
  const executions: Execution[] = [];
  const notes = new Map<string, number>();
  let moment = 0;
  let turn = 0;
  function now() {
    moment += 1;
    return moment;
  }
  /** One transport after the other. */
  function oneOf(calls: Call[]) {
    turn += 1;
    return calls[turn % calls.length] as Call;
  }

  /** Calls until there is an answer, over one transport and the other; others act after each answer that is lost. */
  async function insist(calls: Call[], procedure: string, input: object, between = async () => {}) {
    for (let lost = 0; ; lost += 1) {
      const answer = await oneOf(calls)(procedure, input).catch(nothingIfBroken);
      if (!answer) await between();
      // A busy database does not answer in time, which is to be repeated too.
      else if (answer.status !== 503 || lost > 20) return { answer, lost };
    }
  }

  const inputOf = (ticket: number, { name, input }: Command) =>
    name === 'create' ? input : { ...input, shortId: shortIds[ticket] };

  async function act(ticket: number, command: Command) {
    const sent = now();
    const between = async () => {
      const other = opposite(command);
      const begun = now();
      const ended = await insist(direct, `tickets.${other.name}`, inputOf(ticket, other));
      executions.push({ ticket, command: other, sent: begun, answered: now(), ...ended });
    };
    const ended = await insist(viaProxy, `tickets.${command.name}`, inputOf(ticket, command), between);
    executions.push({ ticket, command, sent, answered: now(), ...ended });
  }

  async function create(given: object) {
    const ticket = shortIds.length;
    const ticketShortId = shortId();
    shortIds.push(ticketShortId);
    const fields = { ticketType: 'support', ticketOwner: owner, ticketName: ticketShortId };
    const ids = { ticketId: randomUUID(), ticketShortId, guildId, commandId: randomUUID() };
    await act(ticket, withoutAbsent({ name: 'create', input: { ...fields, ...given, ...ids } }));
  }

  async function note(ticket: number) {
    const input = { shortId: shortIds[ticket], authorId: stranger, text: 'once', noteId: randomUUID() };
    const between = async () => {
      const noteId = randomUUID();
      await insist(direct, 'tickets.addNote', { ...input, noteId });
      notes.set(noteId, ticket);
    };
    const { answer } = await insist(viaProxy, 'tickets.addNote', input, between);
    expect(answer.data).toMatchObject({ note: { noteId: input.noteId } });
    notes.set(input.noteId, ticket);
  }

  async function caller(steps: Step[]) {
    for (const { ticket, what, actorId } of steps) {
      if (what === 'note') await note(ticket);
      else if (what.name === 'create') await create({ ticketType: 'billing', actorId });
      else {
        const input = { ...what.given, actorId, commandId: randomUUID() };
        await act(ticket, withoutAbsent({ name: what.name, input }));
      }
    }
  }

  await create({});
  await create({});
  await Promise.all(callers.map(caller));
  const tellings = await Promise.all(shortIds.map((ticketShortId) => tellingOf(ticketShortId, app.rest)));
  const noted = await Promise.all(
    shortIds.map((ticketShortId) => app.rest('tickets.notes', { shortId: ticketShortId })),
  );
  const { data: counted } = await app.rest('tickets.count', { guildId });
  expect(counted).toEqual({ count: shortIds.length, exact: true });
  expect(
    noted.flatMap(({ data }, ticket) => data.notes.map(({ noteId }: { noteId: string }) => [noteId, ticket])).sort(),
  ).toEqual([...notes].sort());
  return { executions, tellings };
}

/** Every command has one entry in the history of its ticket where it was answered that it changed it, else none. */
function tookEffectOnce(executions: Execution[], tellings: Telling[]): void {
  for (const execution of executions) {
    const { command, ticket, lost } = execution;
    const entries = tellings[ticket]?.history.filter(({ commandId }) => commandId === command.input.commandId);
    const isEffective = outcomeOf(execution) === 'changed' || command.name === 'create';
    expect(entries, `${JSON.stringify(command)}, ${lost} answers lost`).toHaveLength(isEffective ? 1 : 0);
  }
  for (const { ticket, history } of tellings) expect(ticket).toMatchObject({ version: history.length });
}

test('a command whose answer is lost, sent again with its commandId, takes effect once', async () => {
  await using app = await startApp();
  await using proxy = await startProxy(app.port);
  const viaProxy = Object.values(callsTo(proxy.url, app.key));
  /** The effective commands of which an answer was lost, by name. */
  const repeated = new Map<string, number>();
  let commands = 0;

  const isEnough = () => commands >= 500 && commandNames.every((name) => (repeated.get(name) ?? 0) >= 3);
  const property = fc.asyncProperty(program, async (callers) => {
    if (isEnough()) return;
    const { executions, tellings } = await run(app, viaProxy, callers);
    commands += executions.length;
    for (const execution of executions) {
      const { name } = execution.command;
      const isEffective = outcomeOf(execution) === 'changed' || name === 'create';
      if (isEffective && execution.lost > 0) repeated.set(name, (repeated.get(name) ?? 0) + 1);
    }
    tookEffectOnce(executions, tellings);
    judge(executions, tellings, app.key.slice(4, 12));
  });
  await fc.assert(property, { numRuns: 60, endOnFailure: true, unbiased: true });
  console.log(`${commands} commands, ${proxy.lost()} answers lost`, Object.fromEntries(repeated));
  expect(proxy.lost()).toBeGreaterThan(100);
  expect(isEnough()).toBe(true);
});
