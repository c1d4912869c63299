import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from '../row.ts';
import { judgeLives, underLoad } from '../trial.ts';

export const row: Row = {
  name: 'pool-full',
  promise: 'Without a free connection to the database a request waits no longer than documented, and is answered 503',
  experiment:
    'both processes have two connections (maxPoolSize=2, waitQueueTimeoutMS=500) for 96 clients, and the primary is stopped for 4 s',
  async run(scale) {
    const phase = scale === 'full' ? 20_000 : 3_000;
    const run = await underLoad({
      database: 'pool-full',
      uriOptions: '&maxPoolSize=2&waitQueueTimeoutMS=500',
      load: { load: 'lives', clients: 96, seconds: (2 * phase + 4_000) / 1000 },
      async disturb({ cluster, mark }) {
        await sleep(phase);
        const primary = await cluster.primary();
        await primary?.freeze();
        mark('primary stopped');
        await sleep(4_000);
        primary?.thaw();
        mark('back');
      },
    });
    const { acknowledged, problems, figures } = await judgeLives(run);
    if (acknowledged < 100) problems.push(`only ${acknowledged} changes were acknowledged`);
    return { passed: problems.length === 0, problems, figures, timeline: run.timeline, faults: run.faults };
  },
};
