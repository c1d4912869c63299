import { byTicket, figuresOf, isUnknown } from '../history.ts';
import { findViolations } from '../linearizable.ts';
import type { Row } from '../row.ts';
import { underLoad } from '../trial.ts';
import { killPrimaries } from './primary-killed.ts';

export const row: Row = {
  name: 'linearizable',
  promise: 'Claims, unclaims, transfers, closes and reads of a ticket are linearizable',
  experiment:
    '8 clients call three tickets at a time by chance through two processes, each call in a single attempt, while the primary is killed every 10 s for 2 minutes; the history of each ticket is searched for an order that explains every answer',
  async run(scale) {
    const kills = scale === 'full' ? 12 : 1;
    let elections = 0;
    const run = await underLoad({
      database: 'linearizable',
      load: { load: 'contends', clients: 8, seconds: kills * 10, singleAttempts: true },
      async disturb(scene) {
        elections = await killPrimaries(scene, kills);
      },
    });
    const { calls } = run.history;
    const violations = findViolations(calls);
    const problems = [...violations, ...run.problems];
    const least = scale === 'full' ? { calls: 5_000, elections: 8 } : { calls: 100, elections: 1 };
    if (calls.length < least.calls) problems.push(`only ${calls.length} calls were made`);
    if (elections < least.elections) problems.push(`only ${elections} elections were held`);
    return {
      passed: problems.length === 0,
      problems,
      figures: {
        elections,
        calls: calls.length,
        tickets: byTicket(calls).size,
        'not linearizable': violations.length,
        'unknown outcomes': calls.filter(isUnknown).length,
        ...figuresOf(run.history),
      },
      timeline: run.timeline,
      faults: run.faults,
    };
  },
};
