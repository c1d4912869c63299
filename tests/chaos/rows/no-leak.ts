import { open, readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startServer } from '../../server-process.ts';
import { snowflake } from '../../snowflake.ts';
import { type Attempt, atRate, attempt, keepTime, newTicket, type Request } from '../caller.ts';
import { key, ownFolder, startMember } from '../one-member.ts';
import type { Row, Scale } from '../row.ts';

const rate = 200;
/** Seconds of load before the memory is looked at, and in which it is; MiB a minute that it may grow. */
const settings: Record<Scale, { warmUp: number; seconds: number; mostGrowth: number }> = {
  full: { warmUp: 300, seconds: 1500, mostGrowth: 1 },
  // The memory still grows into its usual size: only a large leak shows.
  short: { warmUp: 8, seconds: 12, mostGrowth: 400 },
};
/** Tickets that commands and reads take; older ones are left alone. */
const recent = 500;

/** MiB that a process has in RAM. */
async function memoryOf(pid: number | undefined): Promise<number> {
  return Number(/^VmRSS:\s*(\d+)/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** The slope of the line that lies closest to some points, by least squares. */
function slopeOf(points: { x: number; y: number }[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))];
  const products = points.map((point) => (point.x - x) * (point.y - y));
  return mean(products) / mean(points.map((point) => (point.x - x) ** 2));
}

/** The calls of bots, one after the other: tickets are created, claimed, noted, changed, closed and read. */
function callsOf(guilds: string[], send: (request: Request) => Promise<Attempt>): (turn: number) => Promise<Attempt> {
  const tickets: ReturnType<typeof newTicket>[] = [];
  const pick = <T>(from: T[]) => from[Math.floor(Math.random() * from.length)] as T;
  const read = (path: string) => () => ({ path: `${path}/${pick(tickets).ticketShortId}` });
  const command =
    (path: string, input: () => object = () => ({})) =>
    () => ({
      path,
      input: { shortId: pick(tickets).ticketShortId, ...input() },
    });
  const requests: (() => Request)[] = [
    read('/tickets/get/id'),
    command('/tickets/claim', () => ({ discordId: snowflake() })),
    read('/tickets/is/claimed'),
    command('/tickets/notes/add', () => ({ authorId: snowflake(), text: 'seen' })),
    () => ({ path: `/tickets?guildId=${pick(guilds)}` }),
    command('/tickets/update', () => ({ priority: pick(['low', 'high']) })),
    read('/tickets/history'),
    command('/tickets/close'),
    read('/tickets/get/id'),
  ];
  return async (turn) => {
    const request = requests[turn % (requests.length + 1)];
    if (request && tickets.length > 0) return send(request());
    const input = newTicket(pick(guilds));
    const answer = await send({ path: '/tickets/create', input });
    if (answer.status === 200) tickets.push(input);
    if (tickets.length > recent) tickets.shift();
    return answer;
  };
}

export const row: Row = {
  name: 'no-leak',
  promise: 'The memory of a process does not grow',
  experiment:
    '200 requests a second for 30 minutes, half of them commands (create, claim, note, update, close), half reads (ticket, claim, list, history), by 32 kept ' +
    'connections. After 5 minutes of warm-up the memory in RAM (VmRSS) is taken each second; the line through it, by least squares, must rise by ' +
    'less than 1 MiB a minute. Answers are 200, or 409 where the ticket had moved on',
  async run(scale) {
    const { warmUp, seconds, mostGrowth } = settings[scale];
    await using member = await startMember();
    await using folder = await ownFolder();
    const log = await open(join(folder.path, 'log'), 'w');
    await using server = await startServer({
      env: { MONGODB_URI: member.uri('no-leak'), COUNTERFOIL_KEY: key },
      logFile: log.fd,
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    const next = callsOf(Array.from({ length: 20 }, snowflake), (request) => attempt(server.url, request, agent));
    const samples: { x: number; y: number }[] = [];
    const statuses = new Map<string, number>();
    const time = keepTime();
    let isEnough = false;

    async function call(turn: number) {
      const { status, code } = await next(turn);
      const word = String(code ?? status);
      statuses.set(word, (statuses.get(word) ?? 0) + 1);
      time.count(status === 200 || status === 409 ? 'succeeded' : 'failed');
    }
    async function watch() {
      for (let second = 0; second < warmUp + seconds; second += 1) {
        await sleep(1000);
        samples.push({ x: second / 60, y: await memoryOf(server.pid) });
      }
      isEnough = true;
    }
    await Promise.all([watch(), atRate(rate, () => isEnough, call)]);
    agent.destroy();
    await log.close();

    const measured = samples.slice(warmUp);
    const slope = slopeOf(measured);
    const problems: string[] = [];
    if (!(slope < mostGrowth)) problems.push(`the memory grows by ${slope.toFixed(2)} MiB a minute`);
    const surprising = [...statuses.keys()].filter((status) => status !== '200' && status !== '409');
    if (surprising.length > 0) problems.push(`answers of ${surprising}`);
    const sorted = measured.map(({ y }) => y).toSorted((a, b) => a - b);
    return {
      passed: problems.length === 0,
      figures: {
        requests: [...statuses.values()].reduce((sum, count) => sum + count, 0),
        answers: [...statuses].map(([status, count]) => `${count} of ${status}`).join(', '),
        'growth, MiB a minute': slope.toFixed(2),
        'memory after warm-up, MiB': `${sorted[0]?.toFixed(0)} to ${sorted.at(-1)?.toFixed(0)}`,
      },
      problems,
      timeline: time.timeline,
      faults: time.faults,
    };
  },
};
