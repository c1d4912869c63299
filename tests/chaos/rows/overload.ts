import { overload } from '../../../bench/overloaded.ts';
import { startService } from '../../../bench/service.ts';
import type { Row, Scale } from '../row.ts';

/** What is sent, and how it is judged: milliseconds of the p99 and of the recovery, at most. */
const settings: Record<Scale, Parameters<typeof overload>[1] & { mostAtP99: number; mostRecovery: number }> = {
  full: { times: 10, seconds: 60, connections: 2000, opened: 2000, senders: 2, mostAtP99: 1000, mostRecovery: 5000 },
  // On a machine that does other things at the same time, only what is answered counts.
  short: {
    times: 10,
    seconds: 4,
    connections: 1000,
    opened: 1000,
    senders: 1,
    measuring: 2,
    mostAtP99: 30_000,
    mostRecovery: 60_000,
  },
};

export const row: Row = {
  name: 'overload',
  promise: 'Overload is bounded',
  experiment:
    'After the capacity is measured (creates by 32 callers), ten times as many are sent for 60 s, on schedule, whatever is answered, over 2,000 connections ' +
    'that are kept. Answers are 2xx, 429 and 503 only; of the accepted creates 99 % are answered within a second of when they were due; within 5 s after ' +
    'the last one ten creates in a row take no longer than twice the usual p99',
  async run(scale) {
    const { mostAtP99, mostRecovery, ...plan } = settings[scale];
    await using service = await startService();
    const { capacity, offered, accepted, answers, surprises, p99, recovery, memory } = await overload(
      service,
      plan,
      () => {},
    );
    const problems = [...surprises];
    if (!(p99 < mostAtP99)) problems.push(`the p99 of what was accepted was ${p99.toFixed(0)} ms`);
    if (!(recovery < mostRecovery)) problems.push(`it was as before after ${(recovery / 1000).toFixed(1)} s`);
    if (!answers.has(503)) problems.push('nothing was refused: this was no overload');
    return {
      passed: problems.length === 0,
      figures: {
        'capacity, creates a second': Math.round(capacity),
        'sent a second': Math.round(offered),
        'accepted a second': Math.round(accepted),
        answers: [...answers].map(([status, count]) => `${count} of ${status || 'none'}`).join(', '),
        'p99 of the accepted': `${p99.toFixed(0)} ms`,
        'as before after': `${(recovery / 1000).toFixed(1)} s`,
        'memory, MiB': `${memory.before.toFixed(0)} before, ${memory.peak.toFixed(0)} at most`,
      },
      problems,
    };
  },
};
