import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { History } from './history.ts';

/** What the callers do. */
export interface Plan {
  load: 'lives' | 'creates' | 'races' | 'rushes' | 'contends';
  urls: readonly string[];
  clients: number;
  /** For how long; where it is not given, until what is to be done is done. */
  seconds?: number;
  /** How many creates, or rounds. */
  count?: number;
  /** The tickets to race for, by their short ids. */
  tickets?: string[];
  guildId?: string;
  /** Whether a call is sent once, to one address. */
  singleAttempts?: boolean;
}

const file = fileURLToPath(new URL('./load.ts', import.meta.url));

/** Lets callers loose in a process of their own; `history` grows as they go. */
export function startLoad(plan: Plan, key: string) {
  const child = spawn(process.execPath, ['--import', 'tsx', file, JSON.stringify(plan)], {
    env: { PATH: process.env.PATH, COUNTERFOIL_KEY: key },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const end = () => void child.kill('SIGKILL');
  process.on('exit', end);
  const history: History = { calls: [], attempts: [] };
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    const entry = JSON.parse(line);
    (entry.kind === 'call' ? history.calls : history.attempts).push(entry);
  });
  const read = once(lines, 'close');
  const ended = Promise.all([once(child, 'close'), read]).then(([[code]]) => {
    process.off('exit', end);
    if (code !== 0) throw new Error(`the callers ended with ${code}`);
  });
  return { startedAt: Date.now(), history, ended };
}

/** Lets callers do all that they have to do. */
export async function runLoad(plan: Plan, key: string): Promise<History> {
  const { history, ended } = startLoad(plan, key);
  await ended;
  return history;
}
