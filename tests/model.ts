/** A small model of a ticket's life, written from the API contract alone: it imports nothing. */

interface Common {
  actorId?: string;
  expectedVersion?: number;
  commandId?: string;
}

type Person = { discordId: string };

export interface Inputs {
  create: {
    ticketId: string;
    ticketShortId: string;
    ticketName: string;
    ticketType: string;
    guildId: string;
    ticketOwner: string;
    ticketData?: string;
    channelId?: string;
    claimedBy?: string | null;
    closed?: boolean;
    actorId?: string;
    commandId?: string;
  };
  claim: Common & Person;
  unclaim: Common & Partial<Person>;
  transfer: Common & Person;
  close: Common & { closedBy?: string; reason?: string };
  reopen: Common;
  update: Common & {
    ticketName?: string;
    ticketType?: string;
    ticketOwner?: string;
    ticketData?: string | null;
    channelId?: string | null;
    priority?: string;
    labels?: string[] | null;
  };
  addParticipant: Common & Person;
  removeParticipant: Common & Person;
  rate: Common & Person & { rating: number; comment?: string };
}

/** A command with its input, but for the ticket that it goes to. */
export type Command = { [Name in keyof Inputs]: { name: Name; input: Inputs[Name] } }[keyof Inputs];
export type CommandName = Command['name'];

/** The ticket as every route returns it. */
export interface Shown {
  ticketId: string;
  ticketShortId: string;
  ticketNumber: number | null;
  ticketType: string;
  ticketName: string;
  ticketData: string | null;
  guildId: string;
  ticketOwner: string;
  channelId: string | null;
  status: string;
  claimed: boolean;
  claimedBy: string | null;
  claimedAt: string | null;
  closed: boolean;
  closedBy: string | null;
  closeReason: string | null;
  closedAt: string | null;
  priority: string;
  labels: string[];
  participants: string[];
  rating: { rating: number; comment: string | null; at: string } | null;
  reopenCount: number;
  version: number;
  createdAt: string;
  updatedAt: string;
}

interface Interval {
  claimer: string;
  from: string;
  to: string | null;
  endReason: string | null;
}

/** A ticket at one version, with what it remembers. */
export interface State {
  ticket: Shown;
  claimIntervals: Interval[];
  /** The commands that changed it, by their commandId. */
  commands: Record<string, string>;
  /** What its create asked for. */
  content: string;
}

/** What the ticket of a state, or its absence, answers to a command. */
interface Verdict {
  /** `repeated`: it changed the ticket before. Else the type of the refusal. */
  outcome: 'changed' | 'repeated' | 'unchanged' | `refused: ${string}`;
  details?: Record<string, unknown>;
}

const refused = (type: string, details?: Record<string, unknown>): Verdict => ({
  outcome: `refused: ${type}`,
  ...(details && { details }),
});

const isEqual = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** The command and its input as one text, without the commandId. */
export function fingerprint({ name, input: { commandId: _, ...input } }: Command): string {
  return JSON.stringify([name, Object.entries(input).sort(([one], [other]) => (one < other ? -1 : 1))]);
}

function contentOf({ commandId: _, ...input }: Inputs['create']): string {
  const given = Object.entries(input).filter(([, value]) => value !== null && value !== '' && value !== false);
  return JSON.stringify(given.sort(([one], [other]) => (one < other ? -1 : 1)));
}

const onlyWhileOpen = ['ticketName', 'ticketType', 'ticketOwner'] as const;

/** The fields that an update gives, as they shall be. */
function givenBy(input: Inputs['update']): Partial<Shown> {
  const { actorId: _a, expectedVersion: _e, commandId: _c, labels, ...rest } = input;
  return labels === undefined ? rest : { ...rest, labels: labels ?? [] };
}

/** Whether the ticket already is as the command wants it. */
function holds({ ticket }: State, command: Exclude<Command, { name: 'create' }>): boolean {
  switch (command.name) {
    case 'claim':
    case 'transfer':
      return ticket.claimedBy === command.input.discordId;
    case 'unclaim':
      return ticket.claimedBy === null;
    case 'close':
      return ticket.closed;
    case 'reopen':
      return !ticket.closed;
    case 'update':
      return Object.entries(givenBy(command.input)).every(([name, value]) =>
        isEqual(ticket[name as keyof Shown], value),
      );
    case 'addParticipant':
      return ticket.participants.includes(command.input.discordId);
    case 'removeParticipant':
      return !ticket.participants.includes(command.input.discordId);
    case 'rate': {
      const { discordId, rating, comment = null } = command.input;
      const { rating: given } = ticket;
      return ticket.ticketOwner === discordId && given?.rating === rating && given.comment === comment;
    }
  }
}

/** Which rule forbids a command whose intent does not hold; null for none. */
function forbids({ ticket }: State, command: Exclude<Command, { name: 'create' }>): Verdict | null {
  if (command.name === 'rate') {
    if (command.input.discordId !== ticket.ticketOwner) return refused('not_the_owner');
    return ticket.closed ? null : refused('ticket_not_closed');
  }
  if (command.name === 'reopen') return null;
  const mayBeClosed = command.name === 'update' && onlyWhileOpen.every((name) => command.input[name] === undefined);
  if (ticket.closed && !mayBeClosed) return refused('ticket_closed');
  switch (command.name) {
    case 'claim':
      return ticket.claimedBy ? refused('ticket_already_claimed', { claimedBy: ticket.claimedBy }) : null;
    case 'unclaim': {
      const { discordId } = command.input;
      return discordId !== undefined && discordId !== ticket.claimedBy ? refused('not_the_claimer') : null;
    }
    case 'transfer':
      return ticket.claimedBy === null ? refused('ticket_not_claimed') : null;
    case 'addParticipant':
      return ticket.participants.length >= 100 ? refused('validation_failed') : null;
    default:
      return null;
  }
}

/** What a ticket in this state answers to a command; null: there is no such ticket. Names are another matter. */
export function verdictOn(state: State | null, command: Command): Verdict {
  if (command.name === 'create') {
    if (!state) return { outcome: 'changed' };
    return state.content === contentOf(command.input) ? { outcome: 'unchanged' } : refused('ticket_id_taken');
  }
  if (!state) return refused('ticket_not_found');
  const { commandId, expectedVersion } = command.input;
  const earlier = commandId === undefined ? undefined : state.commands[commandId];
  if (earlier !== undefined) {
    return earlier === fingerprint(command) ? { outcome: 'repeated' } : refused('command_id_taken');
  }
  if (holds(state, command)) return { outcome: 'unchanged' };
  const { version } = state.ticket;
  if (expectedVersion !== undefined && expectedVersion !== version) return refused('version_mismatch', { version });
  return forbids(state, command) ?? { outcome: 'changed' };
}

/** The name under which a ticket is open, which no other ticket of its guild can have meanwhile; null where it is not. */
export function openName(state: State | null): string | null {
  return state && !state.ticket.closed ? state.ticket.ticketName : null;
}

function created(input: Inputs['create'], at: string): Shown {
  const { ticketData = null, channelId = null, claimedBy: claimer, closed = false } = input;
  const claimedBy = claimer || null;
  return {
    ticketId: input.ticketId,
    ticketShortId: input.ticketShortId,
    ticketNumber: null,
    ticketType: input.ticketType,
    ticketName: input.ticketName,
    ticketData,
    guildId: input.guildId,
    ticketOwner: input.ticketOwner,
    channelId,
    status: closed ? 'closed' : 'open',
    claimed: claimedBy !== null,
    claimedBy,
    claimedAt: claimedBy === null ? null : at,
    closed,
    closedBy: null,
    closeReason: null,
    closedAt: closed ? at : null,
    priority: 'normal',
    labels: [],
    participants: [],
    rating: null,
    reopenCount: 0,
    version: 1,
    createdAt: at,
    updatedAt: at,
  };
}

/** The fields that an allowed command sets. */
function set(ticket: Shown, command: Exclude<Command, { name: 'create' }>, at: string): Partial<Shown> {
  switch (command.name) {
    case 'claim':
    case 'transfer':
      return { claimed: true, claimedBy: command.input.discordId, claimedAt: at };
    case 'unclaim':
      return { claimed: false, claimedBy: null, claimedAt: null };
    case 'close': {
      const { closedBy = null, reason = null } = command.input;
      return { status: 'closed', closed: true, closedBy, closeReason: reason, closedAt: at };
    }
    case 'reopen': {
      const reopenCount = ticket.reopenCount + 1;
      return { status: 'open', closed: false, closedBy: null, closeReason: null, closedAt: null, reopenCount };
    }
    case 'update':
      return givenBy(command.input);
    case 'addParticipant':
      return { participants: [...ticket.participants, command.input.discordId] };
    case 'removeParticipant':
      return { participants: ticket.participants.filter((participant) => participant !== command.input.discordId) };
    case 'rate': {
      const { rating, comment = null } = command.input;
      return { rating: { rating, comment, at } };
    }
  }
}

/** Who has the ticket claimed while it is open. */
const holder = (ticket: Shown | undefined) => (ticket && !ticket.closed ? ticket.claimedBy : null);

/** The state that an allowed command makes at a time. */
export function apply(state: State | null, command: Command, at: string): State {
  const { commandId } = command.input;
  const commands = { ...state?.commands, ...(commandId !== undefined && { [commandId]: fingerprint(command) }) };
  if (command.name === 'create') {
    const ticket = created(command.input, at);
    const claimer = holder(ticket);
    const claimIntervals = claimer === null ? [] : [{ claimer, from: at, to: null, endReason: null }];
    return { ticket, claimIntervals, commands, content: contentOf(command.input) };
  }
  if (!state) throw new Error('There is no ticket to change');
  const before = state.ticket;
  const ticket = { ...before, ...set(before, command, at), version: before.version + 1, updatedAt: at };
  const claimer = holder(ticket);
  if (claimer === holder(before)) return { ...state, ticket, commands };
  const claimIntervals = state.claimIntervals.map((interval) =>
    interval.to === null ? { ...interval, to: at, endReason: command.name } : interval,
  );
  if (claimer !== null) claimIntervals.push({ claimer, from: at, to: null, endReason: null });
  return { ...state, ticket, claimIntervals, commands };
}

/** Who the history says has acted; null where it was not told. */
export function actorOf(command: Command): string | null {
  const { actorId } = command.input;
  if (actorId !== undefined) return actorId;
  if (command.name === 'close') return command.input.closedBy ?? null;
  if (command.name === 'claim' || command.name === 'unclaim' || command.name === 'rate') {
    return command.input.discordId ?? null;
  }
  return null;
}

const neverRecorded = ['ticketId', 'ticketShortId', 'ticketNumber', 'guildId', 'version', 'createdAt', 'updatedAt'];

/** The fields that differ between two versions, as the history tells them. */
export function difference(before: Shown | null, after: Shown): { before: object | null; after: object } {
  const names = (Object.keys(after) as (keyof Shown)[]).filter((name) => !neverRecorded.includes(name));
  const changed = names.filter((name) => !before || !isEqual(before[name], after[name]));
  const pick = (ticket: Shown) => Object.fromEntries(changed.map((name) => [name, ticket[name]]));
  return { before: before && pick(before), after: pick(after) };
}
