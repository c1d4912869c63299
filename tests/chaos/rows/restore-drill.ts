import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli, startServer } from '../../server-process.ts';
import { snowflake } from '../../snowflake.ts';
import { atRate, attempt, insist, newTicket, type Request } from '../caller.ts';
import { key, ownFolder, startMember } from '../one-member.ts';
import type { Row } from '../row.ts';

/** A line of an export, as far as the drill looks at it. */
interface Line {
  kind: string;
  guildId: string;
  ticketId: string;
  ticketNumber: number;
  tickets: number;
  userDiscordId: string;
  claimedBy: string | null;
  closed: boolean;
  version: number;
  history: { seq: number; commandId: string; after: { claimedBy?: string; closed?: boolean } }[];
  notes: { noteId: string }[];
}

/** A change that was acknowledged: by the id that a copy has it under, and when it was called and answered. */
interface Change {
  id: string;
  calledAt: number;
  answeredAt: number;
}

/** What in an export is not a state that the service was ever in. */
function judge(lines: Line[], changes: Change[], begunAt: number): string[] {
  const problems: string[] = [];
  const tickets = lines.filter(({ kind }) => kind === 'ticket');
  const users = new Set(lines.filter(({ kind }) => kind === 'user').map(({ userDiscordId }) => userDiscordId));
  const counters = new Map(lines.filter(({ kind }) => kind === 'counter').map((line) => [line.guildId, line]));
  for (const { ticketId, version, history, claimedBy, closed, guildId, ticketNumber } of tickets) {
    const seqs = history.map(({ seq }) => seq);
    const last = Object.assign({}, ...history.map(({ after }) => after));
    const isWhole = seqs.every((seq, place) => seq === place + 1) && version === seqs.length;
    if (!isWhole) problems.push(`${ticketId} is of version ${version}, its history has ${seqs}`);
    if ((last.claimedBy ?? null) !== claimedBy || (last.closed ?? false) !== closed) {
      problems.push(`${ticketId} is not what its history says`);
    }
    if (claimedBy !== null && !users.has(claimedBy)) problems.push(`${claimedBy}, who claimed ${ticketId}, is missing`);
    if (!((counters.get(guildId)?.tickets ?? 0) >= ticketNumber)) problems.push(`the counter of ${guildId} is behind`);
  }
  const ids = tickets.flatMap(({ history, notes }) => [
    ...history.map(({ commandId }) => commandId),
    ...notes.map(({ noteId }) => noteId),
  ]);
  const copied = new Set(ids);
  if (copied.size !== ids.length) problems.push(`${ids.length - copied.size} changes twice`);
  const lost = changes.filter(({ id }) => !copied.has(id));
  for (const { id, answeredAt } of lost) {
    if (answeredAt < begunAt) problems.push(`${id} was acknowledged before the export began, and is missing`);
  }
  // One moment: who was called after a missing change had been acknowledged came later than it, and is missing too.
  const moment = Math.min(...lost.map(({ answeredAt }) => answeredAt));
  const later = changes.filter(({ id, calledAt }) => copied.has(id) && calledAt > moment);
  if (later.length > 0) problems.push(`${later.length} changes are in it that came after one that is missing`);
  return problems;
}

export const row: Row = {
  name: 'restore-drill',
  promise: 'A backup taken under load is a state that the service was in, and can be restored',
  experiment:
    '`counterfoil export --snapshot` while tickets are created, claimed, noted and closed. Everything acknowledged before it began must be in it, ' +
    'and nothing that came after something that is missing; each ticket must be what its history says, with a history without gaps, its claimer among ' +
    'the users and its number within the counter of its guild. It is imported into an empty database: exported from there it must be the same to ' +
    'the byte, and a service on it goes on with new numbers',
  async run(scale) {
    const [rate, seconds] = scale === 'full' ? [20, 60] : [20, 5];
    await using member = await startMember();
    await using folder = await ownFolder();
    const from = { MONGODB_URI: member.uri('from'), COUNTERFOIL_KEY: key, LOG_LEVEL: 'silent' };
    const to = { ...from, MONGODB_URI: member.uri('to') };
    await using server = await startServer({ env: from });
    const guilds = Array.from({ length: 5 }, snowflake);
    const changes: Change[] = [];
    const problems: string[] = [];

    async function change(id: string, request: Request) {
      const calledAt = performance.now();
      const { status } = await attempt(server.url, request);
      if (status === 200) changes.push({ id, calledAt, answeredAt: performance.now() });
      else problems.push(`${request.path}: ${status}`);
    }
    async function live(turn: number) {
      const create = newTicket(guilds[turn % guilds.length] ?? '');
      const { ticketShortId: shortId, ticketOwner: discordId } = create;
      const [claimId, closeId, noteId] = [randomUUID(), randomUUID(), randomUUID()];
      await change(create.commandId, { path: '/tickets/create', input: create });
      await change(claimId, { path: '/tickets/claim', input: { shortId, discordId, commandId: claimId } });
      await change(noteId, {
        path: '/tickets/notes/add',
        input: { shortId, authorId: discordId, text: 'seen', noteId },
      });
      await change(closeId, { path: '/tickets/close', input: { shortId, commandId: closeId } });
    }
    async function run(args: string[], env: typeof from) {
      const { code, stderr } = await runCli(args, env);
      if (code !== 0) problems.push(`counterfoil ${args[0]} ended with ${code}: ${stderr.slice(-300)}`);
    }
    const [file, again] = ['export.ndjson', 'again.ndjson'].map((name) => join(folder.path, name)) as [string, string];
    let isEnough = false;
    let [begunAt, endedAt] = [0, 0];
    async function backUp() {
      await sleep(seconds * 1000);
      begunAt = performance.now();
      await run(['export', '--snapshot', '--output', file], from);
      endedAt = performance.now();
      isEnough = true;
    }
    await Promise.all([backUp(), atRate(rate, () => isEnough, live)]);
    await run(['import', file], to);
    await run(['export', '--snapshot', '--output', again], to);
    const text = await readFile(file, 'utf8');
    const lines: Line[] = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    problems.push(...judge(lines, changes, begunAt));
    if ((await readFile(again, 'utf8')) !== text) problems.push('exported from where it was imported it is another');

    await using restored = await startServer({ env: to });
    const [guildId = ''] = guilds;
    const numbers = lines.filter((line) => line.guildId === guildId && line.kind === 'ticket');
    const { body } = await insist(restored.url, { path: '/tickets/create', input: newTicket(guildId) });
    if (!(body.ticket.ticketNumber > Math.max(...numbers.map(({ ticketNumber }) => ticketNumber)))) {
      problems.push(`the restored service gave the number ${body.ticket.ticketNumber} again`);
    }
    const before = changes.filter(({ answeredAt }) => answeredAt < begunAt).length;
    const meanwhile = changes.filter(({ answeredAt }) => answeredAt >= begunAt && answeredAt < endedAt).length;
    if (meanwhile === 0) problems.push('nothing was changed while the export ran');
    return {
      passed: problems.length === 0,
      figures: {
        'changes acknowledged before': before,
        'changes acknowledged while it ran': meanwhile,
        'tickets in the copy': lines.filter(({ kind }) => kind === 'ticket').length,
        'the export took': `${((endedAt - begunAt) / 1000).toFixed(1)} s`,
      },
      problems,
    };
  },
};
