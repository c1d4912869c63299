/**
 * Calls a service at a steady rate while many sockets send a part of a request and no more, and calls it so without
 * them, in turn. Ends with 1 where a caller was not served, or such a socket lived too long.
 */
import { createConnection, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { createRequest, runCallers, type Tally } from './callers.ts';
import { connect, requestOf, succeed } from './connection.ts';
import { load, percentile, spread } from './measure.ts';
import { key, runBench, startService } from './service.ts';

const { values } = parseArgs({
  options: {
    sockets: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '2' },
  },
});

/** Seconds that a half-open socket may live. */
const mostLife = 20;

const whole = createRequest(key);
const [head = '', body = ''] = whole.split('\r\n\r\n');
const headOnly = `${head.slice(0, -10)}`;
const bodyPart = `${head}\r\n\r\n${body.slice(0, 20)}`;

/** What half-open sockets send at once, and then nothing more or a byte a second. */
const beginnings: [name: string, text: string, drip: string][] = [
  ['nothing', '', ''],
  ['a part of a head', headOnly, ''],
  ['a head, byte by byte', headOnly, 'x'],
  ['a part of a body', bodyPart, ''],
  ['a body, byte by byte', bodyPart, ' '],
  ['a body without a key', bodyPart.replace(key, 'x'), ''],
  ['a request and a part of the next', `${requestOf(key, 'GET', '/health/live')}${headOnly}`, ''],
];

/** Keeps sockets half open, each opened again when it is closed, until it is ended. */
function keepHalfOpen(port: number, count: number) {
  const sockets = new Set<Socket>();
  const lives = new Map(beginnings.map(([name]) => [name, { closed: 0, longest: 0 }]));
  let ended = false;

  function openOne(place: number): void {
    const [name, text, drip] = beginnings[place % beginnings.length] ?? ['', '', ''];
    const openedAt = performance.now();
    const socket = createConnection({ port, host: '127.0.0.1' });
    sockets.add(socket);
    socket.write(text);
    socket.resume();
    const dripping = setInterval(() => drip && socket.write(drip), 1000);
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(dripping);
      sockets.delete(socket);
      const life = lives.get(name);
      if (!life) return;
      life.longest = Math.max(life.longest, (performance.now() - openedAt) / 1000);
      if (ended) return;
      life.closed += 1;
      openOne(place);
    });
  }

  for (let place = 0; place < count; place += 1) openOne(place);
  return {
    lives,
    end() {
      ended = true;
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The milliseconds until the answer of all requests, from when they were due. */
function times(tallies: Tally[]): number[] {
  return tallies.flatMap(({ answers }) => [...answers.values()].flatMap(({ due }) => due));
}

function refusals(tallies: Tally[]): number {
  const refused = ({ answers, unsent }: Tally) =>
    [...answers].reduce((sum, [status, { due }]) => sum + (status === 200 ? 0 : due.length), unsent);
  return tallies.reduce((sum, tally) => sum + refused(tally), 0);
}

await runBench(async (own) => {
  const [sockets, seconds, rate] = [values.sockets, values.seconds, values.rate].map(Number) as [
    number,
    number,
    number,
  ];
  const { port } = own(await startService());
  const seeding = connect(port);
  const read = Array.from({ length: 100 }, (_, number) => `bench-${number}`);
  for (const ticketShortId of read) await succeed(seeding, createRequest(key, { ticketShortId }));
  const plan = { port, key, rate, connections: 500, opened: 0, read };
  await runCallers({ ...plan, seconds: 5 });

  const [without, beside]: [Tally[], Tally[]] = [[], []];
  let longest = 0;
  console.log(`${rate} requests a second, reads and creates in turn; milliseconds from when each was due.`);
  const print = (what: string, tallies: Tally[]) =>
    console.log(`${what.padEnd(30)} ${spread(times(tallies))}; ${refusals(tallies)} other than 200; ${load()}`);
  for (let round = 1; round <= Number(values.rounds); round += 1) {
    without.push(await runCallers({ ...plan, seconds }));
    print(`round ${round}, without`, without.slice(-1));
    const halfOpen = keepHalfOpen(port, sockets);
    beside.push(await runCallers({ ...plan, seconds }));
    halfOpen.end();
    await new Promise((done) => setTimeout(done, 1000));
    print(`round ${round}, beside ${sockets} sockets`, beside.slice(-1));
    for (const [name, life] of halfOpen.lives) {
      console.log(`  ${name}: ${life.closed} closed and opened again, the longest lived ${life.longest.toFixed(1)} s`);
      longest = Math.max(longest, life.longest);
    }
  }
  print('together, without', without);
  print(`together, beside ${sockets} sockets`, beside);
  const ratio = percentile(times(beside), 0.99) / percentile(times(without), 0.99);
  console.log(`p99 beside them is ${ratio.toFixed(2)} of the p99 without; the longest lived ${longest.toFixed(1)} s`);
  return refusals([...without, ...beside]) === 0 && longest < mostLife;
});
