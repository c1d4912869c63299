/** Measures the typed client beside one of fetch and JSON written by hand, against one running service. */
import { parseArgs } from 'node:util';
import { type Figures, type Side, sides, startCallers, type Work } from './client-callers.ts';
import { leaveProcessor, ours, startContestants } from './contestants.ts';
import { prepare, startDatabase } from './database.ts';
import { load } from './measure.ts';
import { writeSection } from './page.ts';
import { commandOf, describeMachine, middle, spread } from './report.ts';
import { runBench } from './service.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    // Of each slice: one client, one kind of call.
    seconds: { type: 'string', default: '1' },
    // The folder that the page and the figures are written to.
    out: { type: 'string', default: 'docs' },
  },
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];

const works = [
  { name: 'read, one after the other', operation: 'read', atOnce: 1 },
  { name: 'ten reads in one tick', operation: 'read', atOnce: 10 },
  { name: 'create, one after the other', operation: 'create', atOnce: 1 },
  { name: 'ten creates in one tick', operation: 'create', atOnce: 10 },
] as const satisfies (Omit<Work, 'seconds'> & { name: string })[];

const descriptions: Record<Side, string> = { client: 'typed client', fetch: 'fetch by hand' };

const measures = {
  rate: ({ calls, seconds }: Figures) => calls / seconds,
  p50: ({ p50 }: Figures) => p50,
  processorTime: ({ calls, processorTime }: Figures) => (processorTime * 1e6) / calls,
};

await runBench(async (own) => {
  const command = commandOf('bench:client');
  console.log(command);
  const startedAt = new Date().toISOString();
  const pinned = await leaveProcessor();
  const database = own(await startDatabase());
  const { shortIds, key } = await prepare(database, 1000);
  const [service] = await startContestants(database.uri, own, [ours]);
  const url = `http://127.0.0.1:${service?.port}`;
  const callers = await Promise.all(sides.map(async (side) => own(await startCallers({ side, url, key, shortIds }))));
  const samples = works.map(() => ({ client: [] as Figures[], fetch: [] as Figures[] }));
  // What is found before the first round does not count: all is cold then.
  for (let round = -1; round < rounds; round += 1) {
    for (const [place, work] of works.entries()) {
      for (const one of round % 2 === 0 ? callers : callers.toReversed()) {
        const figures = await one.work({ ...work, seconds });
        if (round >= 0) samples[place]?.[one.side].push(figures);
      }
    }
    console.log(`round ${round + 1} of ${rounds}; ${load()}`);
  }

  const found = works.flatMap(({ name }, place) => {
    const { client = [], fetch = [] } = samples[place] ?? {};
    return sides.map((side) => {
      const all = side === 'client' ? client : fetch;
      const figure = (of: (figures: Figures) => number) => ({
        ...middle(all.map(of)),
        ratio: middle(all.map((figures, round) => of(figures) / of(fetch[round] ?? figures))),
      });
      return {
        name,
        side,
        rate: figure(measures.rate),
        p50: figure(measures.p50),
        processorTime: figure(measures.processorTime),
      };
    });
  });
  const head = ['', 'client', 'calls/s', '× fetch', 'p50 ms', '× fetch', 'CPU µs', '× fetch'];
  const rows = found.map(({ name, side, rate, p50, processorTime }) => [
    name,
    descriptions[side],
    rate.median.toFixed(0),
    spread(rate.ratio),
    p50.median.toFixed(2),
    spread(p50.ratio),
    processorTime.median.toFixed(0),
    spread(processorTime.ratio),
  ]);
  const widths = [30, 16, 10, 20, 10, 20, 10, 20];
  for (const row of [head, ...rows]) console.log(row.map((cell, place) => cell.padEnd(widths[place] ?? 0)).join(''));
  const { version } = await database.client.db('admin').command({ serverStatus: 1 });
  await writeSection(values.out, 'client', {
    title: 'The typed client beside fetch',
    command,
    startedAt,
    machine: describeMachine(version, pinned),
    text: [
      `\`@counterfoil/client\` beside a client of \`fetch\` and JSON written by hand, which calls the REST routes, has no retries and
no ids of commands, and believes its types. The same calls to the same running service: \`tickets.get\` and \`tickets.create\`,
one after the other, and ten in one tick, which the typed client sends as one request and the other as ten at the same time.`,
      `${rounds} rounds of ${seconds} s each, in turn: medians, and ratios within a round with the range of their middle half. CPU is the
processor time of the calling process, a call; p50 is the time until a call came back, or all ten.`,
    ],
    tables: [{ head, rows }],
    figures: found,
  });
  return true;
});
