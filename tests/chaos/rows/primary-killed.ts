import { setTimeout as sleep } from 'node:timers/promises';
import type { Row } from '../row.ts';
import { judgeLives, type Scene, underLoad } from '../trial.ts';

/** Milliseconds from one kill to the next, and after which the killed member is started again. */
const every = 10_000;
const startedAgainAfter = 2_000;

/** A full run that has fewer has shown nothing. */
const fewest = { acknowledged: 5_000, elections: 20 };

/** Kills the primary again and again, so many times. */
export async function killPrimaries(
  { cluster, mark }: Pick<Scene, 'cluster' | 'mark'>,
  times: number,
): Promise<number> {
  const elections = await cluster.countElections();
  for (let kill = 0; kill < times; kill += 1) {
    const next = sleep(every);
    await sleep(every / 4);
    const killed = await cluster.killPrimary();
    mark('kill -9 of the primary');
    await sleep(startedAgainAfter);
    killed.start();
    await next;
  }
  elections.stop();
  return elections.count();
}

export const row: Row = {
  name: 'primary-killed',
  promise: 'No acknowledged change is lost while one member of the database dies',
  experiment:
    'kill -9 of the primary every 10 s for 5 minutes under 16 clients that create, claim, note and close; afterwards each change that was acknowledged is looked up, and must be there once',
  async run(scale) {
    const kills = scale === 'full' ? 30 : 1;
    const seconds = (kills * every) / 1000;
    let elections = 0;
    const run = await underLoad({
      database: 'primary-killed',
      load: { load: 'lives', clients: 16, seconds },
      async disturb(scene) {
        elections = await killPrimaries(scene, kills);
      },
    });
    const { acknowledged, problems, figures } = await judgeLives(run);
    const least = scale === 'full' ? fewest : { acknowledged: 100, elections: 1 };
    if (acknowledged < least.acknowledged) problems.push(`only ${acknowledged} changes were acknowledged`);
    if (elections < least.elections) problems.push(`only ${elections} elections were held`);
    return {
      passed: problems.length === 0,
      problems,
      figures: { elections, ...figures },
      timeline: run.timeline,
      faults: run.faults,
    };
  },
};
