import { Overloaded } from '../errors.ts';

/** How many calls may be under way at once, and how many are. */
let most = Number.POSITIVE_INFINITY;
let underWay = 0;

/** Sets how many calls of procedures may be under way at once in this process. */
export function limitLoad(calls: number): void {
  most = calls;
}

/** Throws Overloaded where no further call may begin: asked first, so that a refusal costs little. */
export function requireCapacity(): void {
  if (underWay >= most) throw new Overloaded();
}

/** Does the work of one call, if there is room for it; throws Overloaded where there is none. */
export async function withinCapacity<Result>(work: () => Promise<Result>): Promise<Result> {
  requireCapacity();
  underWay += 1;
  try {
    return await work();
  } finally {
    underWay -= 1;
  }
}
