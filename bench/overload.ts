/**
 * Measures how many tickets a service creates in a second, then sends many times that on schedule, and watches what
 * is answered, how soon and how long it takes until all is as before. Ends with 1 where it is not as promised.
 */
import { parseArgs } from 'node:util';
import { overload } from './overloaded.ts';
import { runBench, startService } from './service.ts';

const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '60' },
    connections: { type: 'string', default: '2000' },
    // How many of the connections are made beforehand: a service takes one new one in each turn of its event loop.
    opened: { type: 'string', default: '2000' },
    // Processes that send.
    senders: { type: 'string', default: '2' },
    // MAX_CONCURRENT_CALLS of the service; its own default where it is not given.
    'max-calls': { type: 'string' },
    runs: { type: 'string', default: '1' },
  },
});
const [times, seconds, connections, opened, senders, runs] = [
  values.times,
  values.seconds,
  values.connections,
  values.opened,
  values.senders,
  values.runs,
].map(Number) as [number, number, number, number, number, number];

await runBench(async (own) => {
  const maxCalls = values['max-calls'];
  const service = own(await startService(maxCalls === undefined ? {} : { MAX_CONCURRENT_CALLS: maxCalls }));
  let kept = true;
  for (let run = 1; run <= runs; run += 1) {
    console.log(`\nrun ${run}${maxCalls === undefined ? '' : `, MAX_CONCURRENT_CALLS ${maxCalls}`}`);
    const plan = { times, seconds, connections, opened, senders };
    const { surprises, p99, recovery } = await overload(service, plan, console.log);
    kept &&= surprises.length === 0 && p99 < 1000 && recovery < 5000;
  }
  return kept;
});
