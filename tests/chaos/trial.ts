import { setTimeout as sleep } from 'node:timers/promises';
import { missingOf } from './acknowledged.ts';
import { type Cluster, wholeCluster } from './cluster.ts';
import { figuresOf, forbiddenAnswers, type History, timelineOf } from './history.ts';
import { type Plan, startLoad } from './loads.ts';
import type { Result } from './row.ts';
import { type Services, type ServicesOptions, startServices } from './services.ts';

/** What a fault has to work with. */
export interface Scene {
  cluster: Cluster;
  services: Services;
  /** Marks on the plot what is done now. */
  mark(what: string): void;
  history: History;
}

interface Trial {
  /** The database, of its own for each row. */
  database: string;
  options?: ServicesOptions;
  /** Further options of the connection string of the processes. */
  uriOptions?: string;
  load: Omit<Plan, 'urls'>;
  /** What is done meanwhile; the callers go on until their time is over. */
  disturb(scene: Scene): Promise<void>;
}

/** Runs two processes of the service and their callers while they are disturbed; then everything is mended. */
export async function underLoad({ database, options = {}, uriOptions = '', load, disturb }: Trial) {
  const cluster = await wholeCluster();
  const uri = cluster.uri(`${database}-${Date.now()}`);
  await using services = await startServices(uri + uriOptions, options);
  const { history, ended } = startLoad({ ...load, urls: services.urls }, services.key);
  // A process needs a moment to start: the clock of the plot begins with its first request.
  while (history.attempts.length === 0) await Promise.race([sleep(20), ended]);
  const start = history.attempts[0]?.at ?? 0;
  const faults: NonNullable<Result['faults']> = [];
  const mark = (what: string) => {
    faults.push({ second: Math.round((performance.timeOrigin + performance.now() - start) / 100) / 10, what });
  };
  await Promise.all([disturb({ cluster, services, mark, history }), ended]);
  await cluster.heal();
  return {
    uri,
    history,
    problems: [...forbiddenAnswers(history), ...causesOf(services)],
    faults,
    timeline: timelineOf(history, start),
  };
}

/** The causes of what the services answered as errors of their own, by their logs. */
function causesOf({ processes }: Services): string[] {
  const lines = processes.flatMap((one) => one.log());
  const causes = lines
    .filter(({ status }) => status === 500)
    .map(({ err }) => `the cause: ${err?.type} ${err?.message}`);
  return [...new Set(causes)];
}

/** What every such run of lives is judged by: nothing acknowledged is missing, and nothing else was answered than what is documented. */
export async function judgeLives({
  uri,
  history,
  problems: answers,
}: {
  uri: string;
  history: History;
  problems: string[];
}) {
  const missing = await missingOf(history.calls, uri);
  const acknowledged = history.calls.filter(({ outcome }) => outcome === 'ok').length;
  const unknown = history.calls.length - acknowledged;
  const problems = [...answers];
  if (missing.length > 0) {
    const first = missing.slice(0, 3).map(({ op, ticket }) => `${op} of ${ticket}`);
    problems.push(`${missing.length} acknowledged changes are missing: ${first.join(', ')}`);
  }
  return {
    acknowledged,
    problems,
    figures: {
      'acknowledged changes': acknowledged,
      'of them missing': missing.length,
      'ended unknown after all attempts': unknown,
      ...figuresOf(history),
    },
  };
}
