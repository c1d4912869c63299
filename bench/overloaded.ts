import { createRequest, runCallers, type Tally } from './callers.ts';
import { connect } from './connection.ts';
import { load, memoryOf, percentile, processorTimeOf, spread } from './measure.ts';
import { key } from './service.ts';

/** How a service is loaded beyond what it can do. */
export interface Plan {
  /** How many times its capacity, and for how long. */
  times: number;
  seconds: number;
  /** Connections at most, and how many of them are made beforehand. */
  connections: number;
  opened: number;
  /** Processes that send. */
  senders: number;
  /** Seconds in which its capacity is measured; 10 where not said. */
  measuring?: number;
}

/** What became of it. */
export interface Overloaded {
  /** Creates a second: what it can do, what it was sent, and what it did. */
  capacity: number;
  offered: number;
  accepted: number;
  /** How many answers of each status. */
  answers: Map<number, number>;
  /** The first answers that were not 2xx, 429 or 503. */
  surprises: string[];
  /** Milliseconds in which 99 % of what was accepted was answered, from when it was due. */
  p99: number;
  /** Milliseconds from the last request until all was as before; infinite where it did not come to that. */
  recovery: number;
  /** MiB of the service before, at most and afterwards. */
  memory: { before: number; peak: number; after: number };
}

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
async function measureCapacity(port: number, seconds: number, report: (line: string) => void): Promise<number> {
  const plan = { port, key, read: [], rate: null, connections: 32, opened: 0 };
  await runCallers({ ...plan, seconds: seconds / 2 });
  const tally = await runCallers({ ...plan, seconds });
  const { sent } = answersOf([tally], 200);
  const capacity = sent.length / tally.seconds;
  report(`capacity: ${capacity.toFixed(0)} creates a second by 32 connections; ${spread(sent)}; ${load()}`);
  return capacity;
}

/** Tells what was offered and what was answered. */
function tellAnswers(tallies: Tally[], capacity: number, { opened }: Plan, report: (line: string) => void) {
  const sent = sum(tallies.map((tally) => tally.sent));
  const unsent = sum(tallies.map((tally) => tally.unsent));
  const offered = sum(tallies.map((tally) => tally.sent / tally.seconds));
  report(
    `offered: ${offered.toFixed(0)} a second (${(offered / capacity).toFixed(1)} times the capacity) by ${tallies.length} processes, ` +
      `${sum(tallies.map(({ mostConnections }) => mostConnections))} connections at most, ${opened} of them made beforehand; ` +
      `${unsent} of ${sent + unsent} found none free and were not sent; ${load()}`,
  );
  const statuses = [...new Set(tallies.flatMap(({ answers }) => [...answers.keys()]))].sort();
  for (const status of statuses) {
    const times = answersOf(tallies, status);
    const part = ((100 * times.sent.length) / sent).toFixed(2);
    report(`  ${status || 'no answer'}: ${times.sent.length}, ${part} %; from when it was sent ${spread(times.sent)}`);
    report(`    from when it was due ${spread(times.due)}`);
  }
  const surprises = tallies.flatMap((tally) => tally.surprises);
  for (const surprise of surprises) report(`  SURPRISE ${surprise}`);
  const answers = new Map(statuses.map((status) => [status, answersOf(tallies, status).sent.length]));
  const seconds = Math.max(...tallies.map((tally) => tally.seconds));
  const accepted = answersOf(tallies, 200).due;
  return { offered, answers, surprises, accepted: accepted.length / seconds, p99: percentile(accepted, 0.99) };
}

/** Loads the service beyond its capacity, and tells what became of it, line by line and as a whole. */
export async function overload(
  { port, pid }: { port: number; pid: number | undefined },
  plan: Plan,
  report: (line: string) => void,
): Promise<Overloaded> {
  const { times, seconds, connections, senders, measuring = 10 } = plan;
  const capacity = await measureCapacity(port, measuring, report);
  const usual = millisecondsOf(await createSlowly(port, ({ length }) => length === measuring * 20));
  report(`one after the other, 20 a second: ${spread(usual)}; ${load()}`);
  const isLikeBefore = ({ milliseconds }: Create) => milliseconds <= likeBefore * percentile(usual, 0.99);
  const isRecovered = (creates: Create[]) =>
    creates.length >= recoveredCreates && creates.slice(-recoveredCreates).every(isLikeBefore);

  const before = await memoryOf(pid);
  let peak = before;
  const watch = setInterval(async () => {
    peak = Math.max(peak, await memoryOf(pid));
  }, 200);
  const opened = plan.opened / senders;
  const calls = {
    port,
    key,
    read: [],
    rate: (capacity * times) / senders,
    seconds,
    connections: connections / senders,
  };
  const calling = Promise.all(Array.from({ length: senders }, () => runCallers({ ...calls, opened })));
  const processorTime = await processorTimeOf(pid);
  await Promise.race([calling, sleep(seconds * 1000)]);
  const used = (await processorTimeOf(pid)) - processorTime;
  const giveUpAt = Date.now() + 60_000;
  const recovering = await createSlowly(port, (creates) => isRecovered(creates) || Date.now() > giveUpAt);
  const tallies = await calling;
  clearInterval(watch);
  const told = tellAnswers(tallies, capacity, plan, report);
  const usedByCallers = sum(tallies.map((tally) => tally.processorTime));
  report(
    `of the processors the service used ${(used / seconds).toFixed(2)}, the callers ${(usedByCallers / seconds).toFixed(2)}`,
  );

  const since = (recovering.at(-recoveredCreates)?.at ?? 0) - Math.max(...tallies.map(({ endedAt }) => endedAt));
  const recovery = isRecovered(recovering) ? Math.max(0, since) : Number.POSITIVE_INFINITY;
  report(
    `as before (${recoveredCreates} creates in a row within ${likeBefore} times the usual p99): ` +
      `${(recovery / 1000).toFixed(1)} s after the last was sent`,
  );
  await sleep(measuring * 1000);
  const memory = { before, peak, after: await memoryOf(pid) };
  const [first, most, last] = Object.values(memory).map((mebibytes) => mebibytes.toFixed(0));
  report(`memory of the service: ${first} MiB before, ${most} at most, ${last} ${measuring} s after`);
  return { capacity, ...told, recovery, memory };
}
