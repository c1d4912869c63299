import { type AnyTRPCProcedure, getTRPCErrorFromUnknown, type TRPCError } from '@trpc/server';
import type { Context } from '../context.ts';

/** What each step of a procedure gives back: those of tRPC itself, and `next` itself. */
type Outcome = { ok: true; data: unknown } | { ok: false; error: TRPCError };
type Changes = { ctx?: object; input?: unknown };
type Step = (opts: object) => Promise<Outcome>;

/**
 * Makes a procedure's call with an input that is not validated yet; it throws a TRPCError. tRPC's own caller does the
 * same, and copies all options twice at each step. The steps are internal to tRPC: its version is pinned, and a test
 * compares the two ways.
 */
export function callOf(procedure: AnyTRPCProcedure, path: string) {
  const { middlewares, type, meta } = procedure._def as AnyTRPCProcedure['_def'] & { middlewares: Step[] };

  async function take(
    step: number,
    ctx: object,
    input: unknown,
    getRawInput: () => Promise<unknown>,
  ): Promise<Outcome> {
    const next = (changes: Changes = {}) =>
      take(
        step + 1,
        changes.ctx ? { ...ctx, ...changes.ctx } : ctx,
        'input' in changes ? changes.input : input,
        getRawInput,
      );
    try {
      const run = middlewares[step] as Step;
      return await run({ ctx, input, getRawInput, next, type, path, meta, signal: undefined, batchIndex: 0 });
    } catch (cause) {
      return { ok: false, error: getTRPCErrorFromUnknown(cause) };
    }
  }

  return async (ctx: Context, input: unknown): Promise<unknown> => {
    const outcome = await take(0, ctx, undefined, async () => input);
    if (!outcome.ok) throw outcome.error;
    return outcome.data;
  };
}
