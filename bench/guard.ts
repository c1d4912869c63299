/**
 * Compares the processor time that the service takes for a request with that of the server written by hand, in one run: ends
 * with 1 where a bound is exceeded. For who changes the hot path, and not for CI: a minute on a machine that has little else to do.
 */
import { leaveProcessor, ours, reference, startContestants } from './contestants.ts';
import { prepare, startDatabase } from './database.ts';
import { restKinds, startLoad } from './load.ts';
import { summarize } from './report.ts';
import { requireSame } from './same.ts';
import { runBench } from './service.ts';
import { createStock, measure } from './slices.ts';

/** Our processor time a request at 32 connections, as a multiple of A's, at most. */
const bounds = { read: 0.9, create: 1.1, claim: 1.8 };

await runBench(async (own) => {
  await leaveProcessor();
  const database = own(await startDatabase());
  const { tickets, shortIds, key, keyId } = await prepare(database, 10_000);
  const contestants = await startContestants(database.uri, own, [reference, ours]);
  await requireSame(contestants, key, tickets, shortIds[0] ?? '');
  const { pid } = await database.client.db('admin').command({ serverStatus: 1 });
  const load = own(await startLoad({ key, shortIds }));
  const bench = { load, stock: createStock(tickets, keyId), mongodPid: Number(pid), contestants };
  const extent = { kinds: restKinds, connectionCounts: [32], rounds: 5, seconds: 1, warmup: 6000 };
  const figures = summarize(await measure(bench, extent)).filter(({ name }) => name === ours);
  let inBounds = true;
  for (const kind of restKinds) {
    const found = figures.find((figure) => figure.kind === kind);
    if (!found) throw new Error(`no ${kind} was measured`);
    const { median } = found.processorTimeRatio;
    const isTooMuch = !(median <= bounds[kind]);
    if (isTooMuch) inBounds = false;
    console.log(
      `${kind}: ${found.processorTime.median.toFixed(0)} µs a request, ${median.toFixed(2)} × A, ` +
        `at most ${bounds[kind]}${isTooMuch ? ': TOO MUCH' : ''}`,
    );
  }
  return inBounds;
});
