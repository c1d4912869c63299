import { randomInt, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '../../server-process.ts';
import { snowflake } from '../../snowflake.ts';
import { attempt, insist, newTicket, type Request, tally } from '../caller.ts';
import { key, openDatabase, startMember } from '../one-member.ts';
import type { Row } from '../row.ts';

/** Each lane has a service and a database of its own, and waits for its restarts most of the time. */
const lanes = 2;

interface Command extends Request {
  name: string;
  input: Record<string, string | undefined>;
}

/** The life of a ticket: one command in each round, so that those of a round are on different tickets. */
function lifeOf(guildId: string) {
  const create = newTicket(guildId);
  const command = (name: string, path: string, input: Record<string, string> = {}): Command => ({
    name,
    path,
    input: { ...input, shortId: create.ticketShortId, commandId: randomUUID() },
  });
  const noteId = randomUUID();
  const note = { shortId: create.ticketShortId, authorId: snowflake(), text: 'once', noteId };
  const commands: Command[] = [
    { name: 'create', path: '/tickets/create', input: create },
    command('claim', '/tickets/claim', { discordId: snowflake() }),
    { name: 'note', path: '/tickets/notes/add', input: note },
    command('transfer', '/tickets/transfer', { discordId: snowflake() }),
    command('participant', '/tickets/participants/add', { discordId: snowflake() }),
    command('close', '/tickets/close', { closedBy: snowflake(), reason: 'done' }),
    command('reopen', '/tickets/reopen'),
  ];
  const commandIds = commands.flatMap(({ input }) => input.commandId ?? []);
  return { ticketId: create.ticketId, noteId, commands, commandIds };
}

type Life = ReturnType<typeof lifeOf>;
type Fate = 'answered' | 'took effect without an answer' | 'never took effect';

/** Kills the service in each of `rounds` rounds, and repeats what was sent; answers the fates of the first attempts. */
async function runLane(uri: string, rounds: number) {
  const env = { MONGODB_URI: uri, COUNTERFOIL_KEY: key, LOG_LEVEL: 'silent' };
  let server = await startServer({ env });
  const { url } = server;
  await using database = openDatabase(uri);
  const guildId = snowflake();
  const lives: Life[] = [];
  const fates: Fate[] = [];
  const problems: string[] = [];

  async function tookEffect({ name, input }: Command, { noteId }: Life): Promise<boolean> {
    const found =
      name === 'note'
        ? await database.notes.findOne({ _id: noteId })
        : await database.tickets.findOne({ 'history.commandId': input.commandId ?? '' });
    return found !== null;
  }

  const steps = lifeOf(guildId).commands.length;
  for (let round = 0; round < rounds + steps - 1; round += 1) {
    const isKilled = round < rounds;
    if (isKilled) lives.push(lifeOf(guildId));
    const due = lives.flatMap((life, place) => {
      const command = life.commands[round - place];
      return command ? [{ command, life }] : [];
    });
    const first = due.map(({ command }) => attempt(url, command));
    if (isKilled) {
      await sleep(randomInt(201));
      server.kill('SIGKILL');
      await server.exited;
      for (const [place, { command, life }] of due.entries()) {
        const answer = await first[place];
        if (answer?.code === null) fates.push('answered');
        else fates.push((await tookEffect(command, life)) ? 'took effect without an answer' : 'never took effect');
      }
      server = await startServer({ env: { ...env, PORT: new URL(url).port } });
    }
    await Promise.all(first);
    const again = await Promise.all(due.map(({ command }) => insist(url, command)));
    for (const [place, { status, body }] of again.entries()) {
      const { name = '' } = due[place]?.command ?? {};
      // A repeated command answers as it did at first; a note and a create say that they were there already.
      const isRight = status === 200 && (name === 'create' || name === 'note' || body.changed === true);
      if (!isRight) problems.push(`${name} repeated: ${status} ${JSON.stringify(body).slice(0, 200)}`);
    }
  }
  await server[Symbol.asyncDispose]();

  const tickets = new Map((await database.tickets.find().toArray()).map((ticket) => [ticket._id, ticket]));
  const notes = await database.notes.find().toArray();
  if (tickets.size !== rounds) problems.push(`${tickets.size} tickets of ${rounds} creates`);
  if (notes.length !== rounds) problems.push(`${notes.length} notes of ${rounds}`);
  const numbers = new Set([...tickets.values()].map(({ ticketNumber }) => ticketNumber));
  if (numbers.size !== tickets.size) problems.push(`${tickets.size - numbers.size} ticket numbers twice`);
  for (const { ticketId, commandIds } of lives) {
    const entries = tickets.get(ticketId)?.history.map(({ commandId }) => commandId);
    if (`${entries}` !== `${commandIds}`) problems.push(`the history of ${ticketId} is not one entry a command`);
  }
  return {
    fates,
    problems,
    tickets: tickets.size,
    entries: [...tickets.values()].flatMap(({ history }) => history).length,
  };
}

export const row: Row = {
  name: 'command-repeated',
  promise: 'A repeated command changes nothing twice',
  experiment:
    'In each of 300 rounds up to seven commands (a create, and the next command on each of the tickets before: claim, note, transfer, ' +
    'participant, close, reopen) are sent at once; the API process is killed (SIGKILL) at a random moment 0 to 200 ms after, started again, and each ' +
    'is repeated with its id. Exactly 300 tickets, each with one entry a command in its history, one note, and a number of its own; and the ' +
    'repeated command answers as the first did',
  async run(scale) {
    const rounds = scale === 'full' ? 300 : 10;
    await using member = await startMember();
    const lane = (number: number) => runLane(member.uri(`lane-${number}`), rounds / lanes);
    const results = await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
    const problems = results.flatMap((result) => result.problems);
    const fates = results.flatMap((result) => result.fates);
    const total = (field: 'tickets' | 'entries') => results.reduce((sum, result) => sum + result[field], 0);
    // The moments of the kills must have met all that can happen, or nothing was shown.
    for (const fate of ['answered', 'took effect without an answer', 'never took effect'] satisfies Fate[]) {
      if (scale === 'full' && !fates.includes(fate)) problems.push(`no command that ${fate}`);
    }
    return {
      passed: problems.length === 0,
      figures: {
        kills: rounds,
        'commands sent before a kill': fates.length,
        'what became of them': tally(fates),
        'tickets afterwards': total('tickets'),
        'entries of their histories': total('entries'),
      },
      problems,
    };
  },
};
