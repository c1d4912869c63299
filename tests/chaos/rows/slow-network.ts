import { setTimeout as sleep } from 'node:timers/promises';
import { wholeCluster } from '../cluster.ts';
import { startTcpProxy } from '../proxy.ts';
import type { Row } from '../row.ts';
import { judgeLives, underLoad } from '../trial.ts';

const portOf = (host: string) => Number(host.split(':')[1]);

export const row: Row = {
  name: 'slow-network',
  promise: 'A network to the database that is slow, cut, half-closed or silent makes no request hang and loses nothing',
  experiment:
    'proxies between both processes and every member delay by 50 ms each way, cut all connections ten times, half-close them five times and hold everything for 12 s, under 16 clients',
  async run(scale) {
    const [cuts, closes, held, phase] = scale === 'full' ? [10, 5, 12_000, 10_000] : [2, 1, 6_000, 2_000];
    const { members } = await wholeCluster();
    const proxies = await Promise.all(members.map(({ host }) => startTcpProxy(portOf(host))));
    const ports = Object.fromEntries(members.map(({ host }, place) => [portOf(host), proxies[place]?.port]));
    const preload = './tests/chaos/preload/redirect.ts';
    try {
      const run = await underLoad({
        database: 'slow-network',
        options: { env: { CHAOS_PORTS: JSON.stringify(ports) }, preloads: [preload, preload] },
        load: { load: 'lives', clients: 16, seconds: (3 * phase + (cuts + closes) * 1000 + held) / 1000 },
        async disturb({ mark }) {
          await sleep(phase);
          mark('50 ms each way');
          for (const proxy of proxies) proxy.delay(50);
          await sleep(phase);
          for (const proxy of proxies) proxy.delay(0);
          for (let cut = 0; cut < cuts; cut += 1) {
            mark('cut');
            for (const proxy of proxies) proxy.cut();
            await sleep(1000);
          }
          for (let close = 0; close < closes; close += 1) {
            mark('half-closed');
            for (const proxy of proxies) proxy.halfClose();
            await sleep(1000);
          }
          mark('silent');
          for (const proxy of proxies) proxy.hold();
          await sleep(held);
          mark('well again');
          for (const proxy of proxies) proxy.letGo();
        },
      });
      const { acknowledged, problems, figures } = await judgeLives(run);
      if (acknowledged < 100) problems.push(`only ${acknowledged} changes were acknowledged`);
      return { passed: problems.length === 0, problems, figures, timeline: run.timeline, faults: run.faults };
    } finally {
      for (const proxy of proxies) await proxy[Symbol.asyncDispose]();
    }
  },
};
