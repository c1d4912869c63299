import { readFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';

/** Those that this process may use as it starts: less once it is kept off one of them. */
export const processors = availableParallelism();

/** The smallest of `values` that this part of them does not exceed; NaN where there are none. */
export function percentile(values: number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * part) - 1] ?? Number.NaN;
}

/** Median, p99 and the largest of some milliseconds. */
export function spread(milliseconds: number[]): string {
  const [p50, p99, most] = [0.5, 0.99, 1].map((part) => percentile(milliseconds, part).toFixed(1));
  return `p50 ${p50} ms, p99 ${p99} ms, slowest ${most} ms`;
}

/** How many processes wanted to run in the last minute: others may be busy on the same machine. */
export function load(): string {
  return `load ${loadavg()[0]?.toFixed(1)} on ${processors} processors`;
}

/** The memory of a process that is in RAM now, in MiB. */
export async function memoryOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]) / 1024;
}

/** The processor time that a process has used so far, in seconds. */
export async function processorTimeOf(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [user, system] = stat.slice(stat.lastIndexOf(')')).split(' ').slice(12, 14).map(Number);
  return (Number(user) + Number(system)) / 100;
}
