import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { channel, data, maybe, name, person, someCommand, type, withoutAbsent } from './drawn.ts';
import { type Call, callsTo, shortId, snowflake } from './harness.ts';
import { type Execution, judge, outcomeOf, type Telling, tellingOf } from './judge.ts';
import type { Command, CommandName } from './model.ts';
import { startServer } from './server-process.ts';

const key = 'model-test-key-of-the-environment';

/** How many commands at least, and what a failed run said its seed was. */
const { MODEL_COMMANDS = '20000', MODEL_SEED = String(Date.now() % 2 ** 31) } = process.env;
/** How many programs run side by side, and how many callers each has. */
const lanes = 8;
const callersEach = 4;

/** Milliseconds that the search for a smaller counterexample may take. */
const shrinkFor = 20_000;

/** A command as it is drawn: what it takes from the moment of its sending is still to be filled in. */
const step = fc.record({
  ticket: fc.nat(2),
  command: someCommand,
  actorId: maybe(person),
  /** The version that it expects: the one known last, or one before it. */
  expects: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, fc.constantFrom(0, 0, 1)),
  /**
   * Its commandId: none, a new one, one that is sent twice at once, an earlier command again, or the commandId of an
   * earlier command.
   */
  naming: fc.constantFrom('none', 'none', 'none', 'new', 'new', 'twice', 'again', 'taken'),
  /** How many commands before the newest that earlier one is. */
  back: fc.nat(5),
});
type Step = typeof step extends fc.Arbitrary<infer Drawn> ? Drawn : never;

/** The tickets of a guild as they are created, and the steps of each caller. */
const programOf = (steps: number) =>
  fc.record({
    tickets: fc.array(
      fc.record({
        ticketName: maybe(name),
        ticketType: type,
        ticketOwner: person,
        ticketData: maybe(data),
        channelId: maybe(channel),
        claimedBy: maybe(person),
        closed: maybe(fc.boolean()),
        actorId: maybe(person),
      }),
      { minLength: 1, maxLength: 3 },
    ),
    callers: fc.array(fc.array(step, { minLength: 1, maxLength: steps, size: 'max' }), {
      minLength: callersEach,
      maxLength: callersEach,
    }),
  });
/** Mostly short ones; the histories of long ones outgrow their tickets. */
const program = fc.oneof({ weight: 4, arbitrary: programOf(30) }, { weight: 1, arbitrary: programOf(120) });
type Program = typeof program extends fc.Arbitrary<infer Drawn> ? Drawn : never;

/** Everything that a guild's callers send to its tickets, and what they are told of them at the end. */
async function run(
  { tickets, callers }: Program,
  calls: Call[],
): Promise<{ executions: Execution[]; tellings: Telling[] }> {
  const guildId = snowflake();
  const creates = tickets.map((fields, ticket) => ({
    ...fields,
    ticketId: randomUUID(),
    ticketShortId: shortId(),
    ticketName: fields.ticketName ?? ['one', 'two', 'three'][ticket],
    guildId,
  }));
  const executions: Execution[] = [];
  /** The commands that were sent with a commandId, by ticket. */
  const named: Command[][] = tickets.map(() => []);
  const newest = tickets.map(() => 1);
  let moment = 0;
  let turn = 0;

  async function send(ticket: number, command: Command) {
    const { ticketShortId } = creates[ticket] as (typeof creates)[number];
    const input = command.name === 'create' ? command.input : { ...command.input, shortId: ticketShortId };
    moment += 1;
    const sent = moment;
    turn += 1;
    const call = calls[turn % calls.length] as Call;
    const answer = await call(`tickets.${command.name}`, input);
    moment += 1;
    executions.push({ ticket, command, sent, answered: moment, answer, lost: 0 });
    newest[ticket] = Math.max(newest[ticket] ?? 1, answer.data?.ticket.version ?? 1);
  }

  function commandOf(
    ticket: number,
    { command: { name: commandName, given }, actorId, expects, naming, back }: Step,
  ): Command {
    const earlier = named[ticket]?.at(-1 - back);
    if (naming === 'again' && earlier) return earlier;
    const isNamed = naming === 'new' || naming === 'twice';
    const commandId = naming === 'taken' ? earlier?.input.commandId : isNamed ? randomUUID() : undefined;
    const expectedVersion = expects === undefined ? undefined : Math.max(1, (newest[ticket] ?? 1) - expects);
    const input = commandName === 'create' ? { ...creates[ticket], ...given } : { ...given, actorId, expectedVersion };
    return withoutAbsent({ name: commandName, input: { ...input, commandId } });
  }

  async function act(steps: Step[]) {
    for (const [ticket, input] of creates.entries()) await send(ticket, withoutAbsent({ name: 'create', input }));
    for (const drawn of steps) {
      const ticket = drawn.ticket % tickets.length;
      const command = commandOf(ticket, drawn);
      if (command.input.commandId !== undefined) named[ticket]?.push(command);
      const times = drawn.naming === 'twice' ? 2 : 1;
      await Promise.all(Array.from({ length: times }, () => send(ticket, command)));
    }
  }

  await Promise.all(callers.map(act));
  const tellings = await Promise.all(creates.map(({ ticketShortId }) => tellingOf(ticketShortId, calls[0] as Call)));
  return { executions, tellings };
}

/** All that each command can come to; of it the run must have seen everything, and nothing else. */
const everyCommand = [
  'changed',
  'unchanged',
  ...['ticket_not_found', 'command_id_taken', 'version_mismatch'].map(refused),
];
const possible: { [Name in CommandName]: string[] } = {
  create: ['changed', 'unchanged', refused('name_taken'), refused('ticket_id_taken')],
  claim: [...everyCommand, refused('ticket_closed'), refused('ticket_already_claimed')],
  unclaim: [...everyCommand, refused('ticket_closed'), refused('not_the_claimer')],
  transfer: [...everyCommand, refused('ticket_closed'), refused('ticket_not_claimed')],
  close: everyCommand,
  reopen: [...everyCommand, refused('name_taken')],
  update: [...everyCommand, refused('ticket_closed'), refused('name_taken')],
  addParticipant: [...everyCommand, refused('ticket_closed')],
  removeParticipant: [...everyCommand, refused('ticket_closed')],
  rate: [...everyCommand, refused('not_the_owner'), refused('ticket_not_closed')],
};

function refused(reason: string): string {
  return `refused: ${reason}`;
}

test('the service does what a model of a ticket does, whatever callers do at once', { timeout: 600_000 }, async () => {
  const env = { MONGODB_URI: inject('mongodbUri'), COUNTERFOIL_KEY: key, LOG_LEVEL: 'error' };
  const servers = await Promise.all([startServer({ env }), startServer({ env })]);
  await using _one = servers[0];
  await using _two = servers[1];
  const calls = servers.flatMap(({ url }) => Object.values(callsTo(url, key)));
  const counts = new Map<string, number>();
  let executed = 0;
  let repeated = 0;
  let failedAt: number | undefined;

  /** On a busy machine the database does not always answer in time: then the whole program again, three times at most. */
  async function runInTime(drawn: Program) {
    for (let tries = 1; ; tries += 1) {
      const done = await run(drawn, calls);
      if (tries === 3 || !done.executions.some(({ answer }) => answer.status === 503)) return done;
      repeated += 1;
    }
  }

  async function agrees(drawn: Program) {
    // What is left to draw is skipped, once there is enough of it or the smaller counterexample takes too long.
    if (failedAt === undefined ? executed >= Number(MODEL_COMMANDS) : performance.now() - failedAt > shrinkFor) return;
    try {
      const { executions, tellings } = await runInTime(drawn);
      executed += executions.length;
      for (const execution of executions) {
        const outcome = `${execution.command.name} ${outcomeOf(execution)}`;
        counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
      }
      judge(executions, tellings, 'environment');
    } catch (error) {
      failedAt ??= performance.now();
      throw error;
    }
  }

  const startedAt = performance.now();
  const runs = Array.from({ length: lanes }, (_, lane) =>
    fc.assert(fc.asyncProperty(program, agrees), { seed: Number(MODEL_SEED) + lane, numRuns: 1000, unbiased: true }),
  );
  const ends = await Promise.allSettled(runs);
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${executed} commands in ${seconds.toFixed(1)} s, ${repeated} programs again`,
    Object.fromEntries([...counts].sort()),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  expect(executed).toBeGreaterThanOrEqual(Number(MODEL_COMMANDS));
  const outcomes = Object.entries(possible).flatMap(([command, all]) => all.map((outcome) => `${command} ${outcome}`));
  expect([...counts.keys()].sort()).toEqual(outcomes.sort());
});
