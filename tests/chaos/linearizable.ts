import { byTicket, type Call, isUnknown } from './history.ts';

/** What the commands of the history change of a ticket. */
interface State {
  claimedBy: string | null;
  closed: boolean;
  version: number;
}

/** A ticket that was created and not touched yet. */
const created: State = { claimedBy: null, closed: false, version: 1 };

/** More states than this are not searched. */
const mostStates = 2_000_000;

/** What an operation does to a ticket and answers, as the contract says: the state after it, or the type of the refusal. */
function outcomeOf({ op, input }: Call, { claimedBy, closed, version }: State): State | string {
  const { discordId } = input;
  const unchanged = { claimedBy, closed, version };
  const changed = (to: Partial<State>) => ({ ...unchanged, ...to, version: version + 1 });
  switch (op) {
    case 'read':
      return unchanged;
    case 'close':
      return closed ? unchanged : changed({ closed: true });
    case 'claim':
      if (claimedBy === discordId) return unchanged;
      if (closed) return 'ticket_closed';
      return claimedBy === null ? changed({ claimedBy: discordId }) : 'ticket_already_claimed';
    case 'unclaim':
      if (claimedBy === null) return unchanged;
      if (closed) return 'ticket_closed';
      return claimedBy === discordId ? changed({ claimedBy: null }) : 'not_the_claimer';
    case 'transfer':
      if (claimedBy === discordId) return unchanged;
      if (closed) return 'ticket_closed';
      return claimedBy === null ? 'ticket_not_claimed' : changed({ claimedBy: discordId });
    default:
      throw new Error(`${op} is no operation of such a history`);
  }
}

/** The state after an operation that met `state`; null where that would not have been answered as it was. */
function step(call: Call, state: State): State | null {
  const next = outcomeOf(call, state);
  const { outcome, answer } = call;
  if (isUnknown(call)) return typeof next === 'string' ? null : next;
  if (typeof next === 'string') {
    if (outcome !== next) return null;
    return answer?.claimedBy === undefined || answer.claimedBy === state.claimedBy ? state : null;
  }
  if (outcome !== 'ok') return null;
  const isTold =
    answer.claimedBy === next.claimedBy && answer.closed === next.closed && answer.version === next.version;
  const isChange = call.op === 'read' || answer.changed === next.version > state.version;
  return isTold && isChange ? next : null;
}

/** Answers that promise that nothing was changed, and tell nothing about the ticket. */
const withoutEffect = new Set(['database_unavailable', 'overloaded', 'shutting_down', 'rate_limited']);

/**
 * Whether the calls to one ticket can have taken effect one after the other, each between its call and its return, so
 * that each answer is right (Wing and Gong's search, with Lowe's memory of what was tried). What ended without telling
 * whether it took effect may have done so at any time after its call, or never.
 */
export function isLinearizable(calls: Call[]): boolean {
  const relevant = calls
    .filter((call) => !withoutEffect.has(call.outcome) && !(call.op === 'read' && isUnknown(call)))
    .sort((one, other) => one.calledAt - other.calledAt);
  const bits = relevant.map((_, place) => 1n << BigInt(place));
  const returns = relevant.map((call) => (isUnknown(call) ? Number.POSITIVE_INFINITY : call.returnedAt));
  const answered = relevant.reduce((all, call, place) => (isUnknown(call) ? all : all | (bits[place] as bigint)), 0n);
  const tried = new Set<string>();

  function search(done: bigint, state: State): boolean {
    if ((done & answered) === answered) return true;
    const position = `${done}:${state.claimedBy}:${state.closed}:${state.version}`;
    if (tried.has(position)) return false;
    tried.add(position);
    if (tried.size > mostStates) throw new Error('this history has too many unknown outcomes to be searched');
    const places = [...relevant.keys()].filter((place) => (done & (bits[place] as bigint)) === 0n);
    const firstReturn = Math.min(...places.map((place) => returns[place] as number));
    const nextTold = Math.min(...places.map((place) => relevant[place]?.answer?.version ?? Number.POSITIVE_INFINITY));
    const unknown = new Set<string>();
    for (const place of places) {
      const call = relevant[place] as Call;
      // It was called only after another had returned that is still to come.
      if (call.calledAt > firstReturn) break;
      const next = step(call, state);
      // Of unknown outcomes only changes matter, none beyond a version that is still to be told, of equal ones the first.
      if (isUnknown(call)) {
        if (!next || next.version === state.version || next.version > nextTold) continue;
        const what = `${call.op} ${call.input.discordId}`;
        if (unknown.has(what)) continue;
        unknown.add(what);
      }
      if (next && search(done | (bits[place] as bigint), next)) return true;
    }
    return false;
  }

  return search(0n, created);
}

/** A call on one line. */
function told({ client, op, input, calledAt, returnedAt, outcome, answer }: Call, start: number): string {
  const at = [calledAt, returnedAt].map((time) => (time - start).toFixed(1)).join('–');
  return `  ${at} ms, client ${client}: ${op} ${input.discordId ?? ''} → ${outcome} ${JSON.stringify(answer)}`;
}

/** The tickets of a history whose calls are not linearizable, each with what was called. */
export function findViolations(calls: Call[]): string[] {
  return [...byTicket(calls)].flatMap(([ticket, own]) => {
    if (isLinearizable(own)) return [];
    const start = Math.min(...own.map(({ calledAt }) => calledAt));
    return [`ticket ${ticket} is not linearizable:\n${own.map((call) => told(call, start)).join('\n')}`];
  });
}
