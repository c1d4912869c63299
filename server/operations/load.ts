import { Overloaded } from '../errors.ts';

/** How many calls may be under way at once, and how many are. */
let most = Number.POSITIVE_INFINITY;
let underWay = 0;

/** Sets how many calls of procedures may be under way at once in this process. */
export function limitLoad(calls: number): void {
  most = calls;
}

/** Whether no further call may begin. */
export function isOverloaded(): boolean {
  return underWay >= most;
}

/**
 * Does work that waits for the database, if there is room for it; throws Overloaded where there is none. A request asks
 * for its authorization and for each of its calls: what waits for its body takes no room from others.
 */
export async function withinCapacity<Result>(work: () => Promise<Result>): Promise<Result> {
  if (isOverloaded()) throw new Overloaded();
  underWay += 1;
  try {
    return await work();
  } finally {
    underWay -= 1;
  }
}
