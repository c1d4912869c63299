import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { snowflake } from '../../snowflake.ts';
import { type Cluster, type Member, wholeCluster } from '../cluster.ts';
import { type Attempt, figuresOf, forbiddenAnswers, timelineOf } from '../history.ts';
import type { Result, Row } from '../row.ts';
import { type Services, startServices } from '../services.ts';

/** Milliseconds: between two probes of a kind, until an answer is due, until the absence is noticed and until all is well again. */
const every = 200;
const answeredWithin = 6_000;
const noticedAfter = 8_000;
const backWithin = 15_000;

const now = () => performance.timeOrigin + performance.now();

/** Asks a process again and again in all ways until it is told to stop; `type` of an attempt is what was asked. */
async function probe({ urls, client }: Services) {
  const guildId = snowflake();
  const ticket = { ticketShortId: randomUUID(), ticketType: 'support', guildId, ticketOwner: snowflake() };
  const made = await client().tickets.create.mutate(ticket);
  const shortId = made.ticket.ticketShortId;
  // A stored key, so that its authorization asks the database too.
  const { secret } = await client().keys.create.mutate({ name: 'probe', scope: 'write' });
  const post = (body: () => object) => () => ({ method: 'POST', body: JSON.stringify(body()) });
  const requests: Record<string, [path: string, init: () => RequestInit]> = {
    read: [`/tickets/get/id/${shortId}`, () => ({})],
    claim: ['/tickets/claim', post(() => ({ shortId, discordId: snowflake() }))],
    create: ['/tickets/create', post(() => ({ ...ticket, ticketShortId: randomUUID(), ticketId: randomUUID() }))],
    user: [`/user/exists/discordId/${ticket.ticketOwner}`, () => ({})],
    live: ['/health/live', () => ({})],
    ready: ['/health/ready', () => ({})],
  };
  const attempts: Attempt[] = [];
  const headers = { authorization: secret, 'content-type': 'application/json' };
  let ended = false;

  async function ask(url: string, type: string, [path, init]: [string, () => RequestInit]) {
    const at = now();
    const answer = await fetch(url + path, { ...init(), headers, signal: AbortSignal.timeout(30_000) }).catch(
      () => null,
    );
    await answer?.text().catch(() => null);
    attempts.push({ kind: 'attempt', at, ms: now() - at, status: answer?.status ?? 0, type, url });
  }

  async function loop(url: string, type: string, request: [string, () => RequestInit]) {
    while (!ended) {
      await ask(url, type, request);
      await sleep(every);
    }
  }

  const loops = urls.flatMap((url) => Object.entries(requests).map(([type, request]) => loop(url, type, request)));
  return {
    attempts,
    async stop() {
      ended = true;
      await Promise.all(loops);
    },
  };
}

interface Absence {
  what: string;
  take(cluster: Cluster): Promise<Member[]>;
  giveBack(members: Member[]): void;
}

/** The primary and another, or the two others. */
async function two(cluster: Cluster, withPrimary: boolean): Promise<Member[]> {
  const primary = await cluster.primary();
  const others = cluster.members.filter((member) => member !== primary);
  return withPrimary && primary ? [primary, ...others.slice(1)] : others;
}

const frozen: Absence = {
  what: 'the primary and another stopped (SIGSTOP)',
  async take(cluster) {
    const members = await two(cluster, true);
    for (const member of members) await member.freeze();
    return members;
  },
  giveBack(members) {
    for (const member of members) member.thaw();
  },
};

const killed: Absence = {
  what: 'both secondaries killed',
  async take(cluster) {
    const members = await two(cluster, false);
    for (const member of members) await member.kill();
    return members;
  },
  giveBack(members) {
    for (const member of members) member.start();
  },
};

/** What was answered wrongly from when the members were away until they were back, and how long it then took. */
function judge(attempts: Attempt[], away: number, back: number): { problems: string[]; recovery: number } {
  const problems: string[] = [];
  const meanwhile = attempts.filter(({ at, ms }) => at > away && at + ms < back);
  const of = (...types: string[]) => meanwhile.filter(({ type }) => types.includes(type));
  const count = (what: string, wrong: Attempt[]) => {
    if (wrong.length > 0) problems.push(`${wrong.length} ${what}`);
  };
  count(
    'creates were acknowledged without a majority',
    of('create').filter(({ status }) => status === 200),
  );
  count(
    'times it called itself not live',
    of('live').filter(({ status }) => status !== 200),
  );
  const late = ({ at, status }: Attempt) => at > away + noticedAfter && status !== 503;
  count('times it called itself ready', of('ready').filter(late));
  count('reads and commands were not answered 503', of('read', 'create', 'claim').filter(late));
  const since = attempts.filter(({ at, ms, status, type }) => type === 'create' && at + ms > back && status === 200);
  const urls = [...new Set(attempts.map(({ url }) => url))];
  const firsts = urls.map((url) =>
    Math.min(...since.filter((one) => one.url === url).map(({ at, ms }) => at + ms - back), Number.POSITIVE_INFINITY),
  );
  return { problems, recovery: Math.max(...firsts) };
}

export const row: Row = {
  name: 'database-away',
  promise: 'That the database is away is said, and not disguised',
  experiment:
    'two of three members are stopped for 30 s, then two are killed for 30 s, while both processes are asked in every way',
  async run(scale) {
    const absences = scale === 'full' ? [frozen, killed] : [frozen];
    // Long enough that keys are no longer believed without the database, and its silence is answered.
    const awayFor = scale === 'full' ? 30_000 : 13_000;
    const cluster = await wholeCluster();
    await using services = await startServices(cluster.uri(`database-away-${Date.now()}`));
    const { attempts, stop } = await probe(services);
    const start = now();
    const faults: NonNullable<Result['faults']> = [];
    const mark = (what: string) => faults.push({ second: Math.round((now() - start) / 100) / 10, what });
    const spans: { what: string; away: number; back: number }[] = [];
    for (const { what, take, giveBack } of absences) {
      await sleep(2_000);
      const members = await take(cluster);
      const away = now();
      mark(what);
      await sleep(awayFor);
      const back = now();
      giveBack(members);
      mark('back');
      spans.push({ what, away, back });
      await cluster.heal();
      await sleep(2_000);
    }
    await stop();
    const history = { calls: [], attempts };
    const problems = forbiddenAnswers(history);
    const figures: Result['figures'] = figuresOf(history);
    const slow = attempts.filter(({ ms }) => ms > answeredWithin);
    if (slow.length > 0) problems.push(`${slow.length} answers took longer than ${answeredWithin / 1000} s`);
    for (const { what, away, back } of spans) {
      const { problems: own, recovery } = judge(attempts, away, back);
      problems.push(...own.map((problem) => `${what}: ${problem}`));
      figures[`${what}: creates again after`] = `${(recovery / 1000).toFixed(1)} s`;
      if (recovery > backWithin) problems.push(`${what}: no create for ${recovery / 1000} s after their return`);
    }
    return { passed: problems.length === 0, problems, figures, timeline: timelineOf(history, start), faults };
  },
};
