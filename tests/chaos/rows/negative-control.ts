import { setTimeout as sleep } from 'node:timers/promises';
import type { Member } from '../cluster.ts';
import type { Result, Row } from '../row.ts';
import { judgeLives, type Scene, underLoad } from '../trial.ts';

const every = 10_000;
/** Milliseconds for which the secondaries get nothing before the primary is killed. */
const behind = 800;

/** Keeps members from following, or lets them follow again. */
async function follow(members: Member[], mode: 'alwaysOn' | 'off') {
  await Promise.all(members.map((one) => one.run({ configureFailPoint: 'stopReplProducer', mode })));
}

/** Kills the primary again and again when the others do not have its newest writes. */
async function killAhead(scene: Scene, times: number) {
  for (let kill = 0; kill < times; kill += 1) {
    const next = sleep(every);
    await sleep(every / 4);
    // The one that was killed before may still be starting.
    await scene.cluster.heal();
    const primary = await scene.cluster.primary();
    const secondaries = scene.cluster.members.filter((member) => member !== primary);
    await follow(secondaries, 'alwaysOn');
    await sleep(behind);
    const killed = await scene.cluster.killPrimary();
    scene.mark('kill -9 of the primary, 0.8 s ahead');
    await follow(secondaries, 'off');
    await sleep(4_000);
    killed.start();
    await next;
  }
}

export const row: Row = {
  name: 'negative-control',
  promise:
    'The experiment can fail: a service that is content with one member’s confirmation loses what it acknowledged',
  experiment:
    'as primary-killed, but the secondaries are kept from following for 0.8 s before each of 6 kills: with w: 1 acknowledged changes must be missing, with w: majority none',
  async run(scale) {
    const kills = scale === 'full' ? 6 : 1;
    const trial = (database: string, preloads: string[]) =>
      underLoad({
        database,
        options: { preloads },
        load: { load: 'lives', clients: 16, seconds: (kills * every) / 1000 },
        disturb: (scene) => killAhead(scene, kills),
      });
    const preload = './tests/chaos/preload/one-member.ts';
    const weak = await trial('negative-control-weak', [preload, preload]);
    const lost = await judgeLives(weak);
    const missing = Number(lost.figures['of them missing']);
    const problems = missing === 0 ? ['with w: 1 nothing was lost: the experiment cannot find what it looks for'] : [];
    const figures: Result['figures'] = {
      'with w: 1': `${missing} of ${lost.acknowledged.toLocaleString('en')} acknowledged changes missing`,
    };
    // The short form of primary-killed has shown already that such a run can pass.
    if (scale === 'full') {
      const kept = await judgeLives(await trial('negative-control', []));
      problems.push(...kept.problems);
      figures['with w: majority'] = `${kept.figures['of them missing']} of ${kept.acknowledged.toLocaleString('en')}`;
    }
    return { passed: problems.length === 0, problems, figures, timeline: weak.timeline, faults: weak.faults };
  },
};
