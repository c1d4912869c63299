/**
 * Measures how many tickets a service creates in a second, then sends many times that on schedule, and watches what
 * is answered, how soon and how long it takes until all is as before. Ends with 1 where it is not as promised.
 */
import { parseArgs } from 'node:util';
import { createRequest, runCallers, type Tally } from './callers.ts';
import { connect } from './connection.ts';
import { load, memoryOf, percentile, processorTimeOf, spread } from './measure.ts';
import { key, runBench, startService } from './service.ts';

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '60' },
    connections: { type: 'string', default: '4000' },
    // How many of the connections are made beforehand: a service takes one new one in each turn of its event loop.
    opened: { type: 'string', default: '4000' },
    // Processes that send.
    senders: { type: 'string', default: '2' },
    // MAX_CONCURRENT_CALLS of the service; its own default where it is not given.
    'max-calls': { type: 'string' },
    runs: { type: 'string', default: '1' },
  },
});
const [times, seconds, connections, senders, runs] = [
  values.times,
  values.seconds,
  values.connections,
  values.senders,
  values.runs,
].map(Number) as [number, number, number, number, number];

/** Milliseconds in which 99 % of what is accepted is answered, and after which all is as before. */
const mostAtP99 = 1000;
const mostRecovery = 5000;

/** So many creates in a row that take no longer than before, within this factor, are a recovery. */
const recoveredCreates = 10;
const likeBefore = 2;

const sleep = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** A create by a caller that waits for each: when it was sent, as of Date.now(), and how long it took; refused: infinite. */
interface Create {
  at: number;
  milliseconds: number;
}

/** Creates one ticket after the other, 20 a second, until it is enough. */
async function createSlowly(port: number, isEnough: (creates: Create[]) => boolean): Promise<Create[]> {
  const connection = connect(port);
  const creates: Create[] = [];
  while (!isEnough(creates)) {
    const [at, startedAt] = [Date.now(), performance.now()];
    const { status } = await connection.ask(createRequest(key));
    creates.push({ at, milliseconds: status === 200 ? performance.now() - startedAt : Number.POSITIVE_INFINITY });
    await sleep(50);
  }
  connection.close();
  return creates;
}

const millisecondsOf = (creates: Create[]) => creates.map(({ milliseconds }) => milliseconds);

/** The milliseconds of all answers of a status. */
function answersOf(tallies: Tally[], status: number): { due: number[]; sent: number[] } {
  const found = tallies.flatMap(({ answers }) => answers.get(status) ?? []);
  return { due: found.flatMap(({ due }) => due), sent: found.flatMap(({ sent }) => sent) };
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Creates as fast as 32 connections can; answers how many a second. */
async function measureCapacity(port: number): Promise<number> {
  const plan = { port, key, read: [], rate: null, connections: 32, opened: 0 };
  await runCallers({ ...plan, seconds: 5 });
  const tally = await runCallers({ ...plan, seconds: 10 });
  const { sent } = answersOf([tally], 200);
  const capacity = sent.length / tally.seconds;
  console.log(`capacity: ${capacity.toFixed(0)} creates a second by 32 connections; ${spread(sent)}; ${load()}`);
  return capacity;
}

/** Prints what was offered and what was answered; answers whether it was answered as promised. */
function judgeAnswers(tallies: Tally[], capacity: number): boolean {
  const sent = sum(tallies.map((tally) => tally.sent));
  const unsent = sum(tallies.map((tally) => tally.unsent));
  const offered = sum(tallies.map((tally) => tally.sent / tally.seconds));
  console.log(
    `offered: ${offered.toFixed(0)} a second (${(offered / capacity).toFixed(1)} times the capacity) by ${senders} processes, ` +
      `${sum(tallies.map(({ mostConnections }) => mostConnections))} connections at most, ${values.opened} of them made beforehand; ` +
      `${unsent} of ${sent + unsent} found none free and were not sent; ${load()}`,
  );
  const statuses = [...new Set(tallies.flatMap(({ answers }) => [...answers.keys()]))].sort();
  for (const status of statuses) {
    const times = answersOf(tallies, status);
    const part = ((100 * times.sent.length) / sent).toFixed(2);
    console.log(
      `  ${status || 'no answer'}: ${times.sent.length}, ${part} %; from when it was sent ${spread(times.sent)}`,
    );
    console.log(`    from when it was due ${spread(times.due)}`);
  }
  const surprises = tallies.flatMap((tally) => tally.surprises);
  for (const surprise of surprises) console.log(`  SURPRISE ${surprise}`);
  return surprises.length === 0 && percentile(answersOf(tallies, 200).due, 0.99) < mostAtP99;
}

/** Loads the service beyond its capacity; answers whether it did as promised. */
async function overload({ port, pid }: { port: number; pid: number | undefined }): Promise<boolean> {
  const capacity = await measureCapacity(port);
  const usual = millisecondsOf(await createSlowly(port, ({ length }) => length === 200));
  console.log(`one after the other, 20 a second: ${spread(usual)}; ${load()}`);
  const isLikeBefore = ({ milliseconds }: Create) => milliseconds <= likeBefore * percentile(usual, 0.99);

  const before = await memoryOf(pid);
  let peak = before;
  const watch = setInterval(async () => {
    peak = Math.max(peak, await memoryOf(pid));
  }, 200);
  const opened = Number(values.opened) / senders;
  const rate = (capacity * times) / senders;
  const plan = { port, key, read: [], rate, seconds, connections: connections / senders, opened };
  const calling = Promise.all(Array.from({ length: senders }, () => runCallers(plan)));
  const processorTime = await processorTimeOf(pid);
  await Promise.race([calling, sleep(seconds * 1000)]);
  const used = (await processorTimeOf(pid)) - processorTime;
  const giveUpAt = Date.now() + 60_000;
  const recovering = await createSlowly(port, (creates) => {
    const newest = creates.slice(-recoveredCreates);
    return (newest.length === recoveredCreates && newest.every(isLikeBefore)) || Date.now() > giveUpAt;
  });
  const tallies = await calling;
  clearInterval(watch);
  const isServed = judgeAnswers(tallies, capacity);
  const usedByCallers = sum(tallies.map((tally) => tally.processorTime));
  console.log(
    `of the processors the service used ${(used / seconds).toFixed(2)}, the callers ${(usedByCallers / seconds).toFixed(2)}`,
  );

  const recovery = (recovering.at(-recoveredCreates)?.at ?? 0) - Math.max(...tallies.map(({ endedAt }) => endedAt));
  const isRecovered = recovering.slice(-recoveredCreates).every(isLikeBefore) && recovery < mostRecovery;
  console.log(
    `as before (${recoveredCreates} creates in a row within ${likeBefore} times the usual p99): ` +
      `${(Math.max(0, recovery) / 1000).toFixed(1)} s after the last was sent${isRecovered ? '' : ' TOO LATE'}`,
  );
  await sleep(10_000);
  const memory = [before, peak, await memoryOf(pid)].map((mebibytes) => mebibytes.toFixed(0));
  console.log(`memory of the service: ${memory[0]} MiB before, ${memory[1]} at most, ${memory[2]} 10 s after`);
  return isServed && isRecovered;
}

await runBench(async (own) => {
  const maxCalls = values['max-calls'];
  const service = own(await startService(maxCalls === undefined ? {} : { MAX_CONCURRENT_CALLS: maxCalls }));
  let kept = true;
  for (let run = 1; run <= runs; run += 1) {
    console.log(`\nrun ${run}${maxCalls === undefined ? '' : `, MAX_CONCURRENT_CALLS ${maxCalls}`}`);
    kept = (await overload(service)) && kept;
  }
  return kept;
});
