import { isDeepStrictEqual } from 'node:util';
import type { HistoryEntry } from '@counterfoil/shared/history';
import { expect } from 'vitest';
import type { Call, Outcome } from './harness.ts';
import { actorOf, apply, type Command, difference, fingerprint, openName, type State, verdictOn } from './model.ts';

/** A command that a caller sent and got an answer to. */
export interface Execution {
  /** Which of the guild's tickets. */
  ticket: number;
  command: Command;
  /** When it was sent and answered, on one clock for all callers that counts such moments. */
  sent: number;
  answered: number;
  answer: Outcome;
  /** How many answers to it were lost before this one. */
  lost: number;
}

/** What the service tells of a ticket at the end; of one that does not exist null and nothing. */
export interface Telling {
  ticket: object | null;
  history: HistoryEntry[];
  claimIntervals: object[];
}

/** A version of a ticket: 0 is its absence. */
interface Version {
  state: State | null;
  /** When its command was sent first, and when a caller first knew that it had taken effect. */
  sent: number;
  known: number;
}

/** The ticket and its whole history, page by page. */
export async function tellingOf(ticketShortId: string, call: Call): Promise<Telling> {
  const { data: ticket = null } = await call('tickets.get', { shortId: ticketShortId });
  const telling: Telling = { ticket, history: [], claimIntervals: [] };
  for (let cursor: string | null = ticket && ''; cursor !== null; ) {
    const page = await call('tickets.history', { shortId: ticketShortId, limit: 40, ...(cursor && { cursor }) });
    telling.history.push(...page.data.history);
    telling.claimIntervals = page.data.claimIntervals;
    cursor = page.data.nextCursor;
  }
  return telling;
}

/** What a command came to. */
export function outcomeOf({ answer: { error, data } }: Execution): string {
  if (error) return `refused: ${error.type}`;
  return (data.changed ?? data.created) ? 'changed' : 'unchanged';
}

function told(executions: Execution[]): string {
  const lines = executions.map((execution) => {
    const { command, sent, answered, answer, lost } = execution;
    const result = answer.data ? `version ${answer.data.ticket.version}` : JSON.stringify(answer.error?.details ?? {});
    const at = `${sent}–${answered}${lost ? ` (${lost} lost)` : ''}`;
    return `${at} ${command.name} ${JSON.stringify(command.input)} → ${outcomeOf(execution)}, ${result}`;
  });
  return lines.join('\n');
}

/** The newest version that was known when a command was sent: it can have met no older one. */
function knownBefore({ sent }: Execution, executions: Execution[]): number {
  const versions = executions
    .filter(({ answered }) => answered < sent)
    .map(({ answer }) => answer.data?.ticket.version ?? answer.error?.details?.version ?? 0);
  return Math.max(0, ...versions);
}

/** The versions that a command may have met: none older than known before it, none that was begun after its answer. */
function metBy(execution: Execution, executions: Execution[], life: Version[]): number[] {
  const oldest = knownBefore(execution, executions);
  return [...life.keys()].filter((seq) => seq >= oldest && (life[seq]?.sent ?? 0) < execution.answered);
}

/** The executions of the command that made an entry: one, or those that repeat it by its commandId. */
function makersOf({ seq, type, commandId }: HistoryEntry, executions: Execution[]): Execution[] {
  const what = `entry ${seq} (${type})`;
  const makers = executions.filter(({ command: { name, input }, answer: { data }, lost }) => {
    if (seq === 1 || name === 'create') return seq === 1 && name === 'create' && data && (data.created || lost > 0);
    return (
      data?.changed && (input.commandId === undefined ? data.ticket.version === seq : input.commandId === commandId)
    );
  });
  expect(new Set(makers.map(({ command }) => fingerprint(command))).size, `${what}: commands that made it`).toBe(1);
  const isRepeatable = commandId !== null && seq > 1;
  if (!isRepeatable) expect(makers, `${what}: executions that made it`).toHaveLength(1);
  const isNew = makers.some((execution) => knownBefore(execution, executions) < seq);
  expect(isNew, `${what} was made after its command was sent`).toBe(true);
  const isAnswered = makers.some(({ answer, lost }) => lost > 0 || answer.data.ticket.version === seq);
  expect(isAnswered, `${what} was answered to the one who made it`).toBe(true);
  return makers;
}

/** Replays a history from its first entry: each must be what the model makes of its command. */
function replay({ ticket, history, claimIntervals }: Telling, executions: Execution[], keyId: string): Version[] {
  const life: Version[] = [{ state: null, sent: 0, known: 0 }];
  const effective = new Set<Execution>();
  let state: State | null = null;
  for (const [place, entry] of history.entries()) {
    const makers = makersOf(entry, executions);
    const [{ command } = makers[0] as Execution] = makers;
    const what = `entry ${entry.seq}, ${JSON.stringify(command)} on ${JSON.stringify(state?.ticket)}`;
    expect(verdictOn(state, command), what).toEqual({ outcome: 'changed' });
    const next = apply(state, command, entry.at);
    expect(entry, what).toEqual({
      seq: place + 1,
      type: command.name,
      at: entry.at,
      actorId: actorOf(command),
      keyId,
      commandId: command.input.commandId ?? null,
      ...difference(state?.ticket ?? null, next.ticket),
    });
    expect(entry.at >= (state?.ticket.updatedAt ?? ''), `${what}: the time does not run backwards`).toBe(true);
    const sent = Math.min(...makers.map((maker) => maker.sent));
    const known = Math.min(...makers.map((maker) => maker.answered));
    life.push({ state: next, sent, known });
    for (const maker of makers) effective.add(maker);
    state = next;
  }
  expect(ticket, 'the ticket as it is').toEqual(state?.ticket ?? null);
  expect(claimIntervals, 'the claim intervals').toEqual(state?.claimIntervals ?? []);
  const unrecorded = executions.filter((execution) => outcomeOf(execution) === 'changed' && !effective.has(execution));
  expect(told(unrecorded), 'changes without an entry').toBe('');
  return life;
}

/** The commands that were sent to a ticket, and its life. */
interface Judged {
  executions: Execution[];
  life: Version[];
}

/** Whether another ticket of the guild may have been open under a name while a command was answered. */
function isTaken(name: string | null, execution: Execution, tickets: Judged[]): boolean {
  return tickets.some(({ executions, life }, ticket) => {
    if (name === null || ticket === execution.ticket) return false;
    return metBy(execution, executions, life).some((seq) => openName(life[seq]?.state ?? null) === name);
  });
}

/** Whether one state of the ticket explains the answer to a command. */
function explains(state: State | null, execution: Execution, tickets: Judged[]): boolean {
  const { command, answer } = execution;
  const { outcome, details } = verdictOn(state, command);
  if (answer.error) {
    const { type } = answer.error;
    if (type === 'name_taken' && outcome === 'changed') {
      return isTaken(openName(apply(state, command, '')), execution, tickets);
    }
    return outcome === `refused: ${type}` && isDeepStrictEqual(answer.error.details, details);
  }
  if (!isDeepStrictEqual(answer.data.ticket, state?.ticket)) return false;
  if (outcomeOf(execution) === 'unchanged') return outcome === 'unchanged';
  // A change is answered with the version that it made, as the replay has found; its repetition also with later ones.
  return outcome === 'repeated' || command.name === 'create' || command.input.commandId === undefined;
}

/** The spans in which tickets were open under a name beyond doubt. */
function openSpans(tickets: Judged[]) {
  const spans: { ticket: number; name: string; from: number; to: number }[] = [];
  for (const [ticket, { life }] of tickets.entries()) {
    for (const [seq, { state, known }] of life.entries()) {
      const name = openName(state);
      if (name === null) continue;
      const to = life[seq + 1]?.sent ?? Number.POSITIVE_INFINITY;
      const last = spans.at(-1);
      if (last?.ticket === ticket && last.name === name && openName(life[seq - 1]?.state ?? null) === name)
        last.to = to;
      else spans.push({ ticket, name, from: known, to });
    }
  }
  return spans;
}

/**
 * Judges what several callers did at once to the tickets of a guild. The histories tell an order of the commands: in
 * this order the model must do and answer what the service did, and no answer may be older than what was known.
 */
export function judge(executions: Execution[], tellings: Telling[], keyId: string): void {
  const to = (ticket: number) => executions.filter((execution) => execution.ticket === ticket);
  const tickets = tellings.map((telling, ticket) =>
    explained(ticket, to(ticket), () => ({ executions: to(ticket), life: replay(telling, to(ticket), keyId) })),
  );
  for (const [ticket, { executions: sent, life }] of tickets.entries()) {
    explained(ticket, sent, () => {
      for (const execution of sent) {
        const states = metBy(execution, sent, life).map((seq) => life[seq]?.state ?? null);
        const verdicts = states.map(
          (state) => `${state?.ticket.version}: ${verdictOn(state, execution.command).outcome}`,
        );
        const isExplained = states.some((state) => explains(state, execution, tickets));
        expect(isExplained, `${told([execution])}; the model, by version: ${verdicts.join(', ')}`).toBe(true);
      }
    });
  }
  const spans = openSpans(tickets);
  const rivals = spans.filter((one) =>
    spans.some(
      ({ ticket, name, from, to: end }) =>
        ticket !== one.ticket && name === one.name && Math.max(from, one.from) < Math.min(end, one.to),
    ),
  );
  expect(rivals, 'open tickets of one name').toEqual([]);
}

/** Adds to an error what was sent to the ticket. */
function explained<T>(ticket: number, executions: Execution[], work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Error)
      error.message = `ticket ${ticket}: ${error.message}\nwhat was sent to it:\n${told(executions)}`;
    throw error;
  }
}
