/** How much of an experiment is run: all of it, or its short form for the tests. */
export type Scale = 'full' | 'short';

/** What an experiment came to. */
export interface Result {
  passed: boolean;
  /** What was counted and measured, in words and numbers, as the page shows it, e.g. `{ 'acknowledged writes': 51234 }`. */
  figures: Record<string, number | string>;
  /** Why it did not pass. */
  problems: string[];
  /** For the plot: each second's answered and failed calls. Seconds from the start. */
  timeline?: { second: number; succeeded: number; failed: number }[];
  /** What was done when, in seconds from the start. */
  faults?: { second: number; what: string }[];
}

/** A promise of the service, and the experiment that could refute it. */
export interface Row {
  name: string;
  promise: string;
  experiment: string;
  run(scale: Scale): Promise<Result>;
}
