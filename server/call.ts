import { type AnyTRPCProcedure, type AnyTRPCRouter, getTRPCErrorFromUnknown, type TRPCError } from '@trpc/server';
import type { Context } from './context.ts';

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

  return async (ctx: Context, getRawInput: () => Promise<unknown>): Promise<unknown> => {
    const outcome = await take(0, ctx, undefined, getRawInput);
    if (!outcome.ok) throw outcome.error;
    return outcome.data;
  };
}

/** The same router for tRPC's own protocol, its procedures called so. */
export function withOwnCalls(router: AnyTRPCRouter): AnyTRPCRouter {
  // A caller may name anything, such as "constructor".
  const procedures: Record<string, AnyTRPCProcedure> = Object.create(null);
  for (const [path, procedure] of Object.entries<AnyTRPCProcedure>(router._def.procedures)) {
    const call = callOf(procedure, path);
    const called = ({ ctx, getRawInput }: Parameters<AnyTRPCProcedure>[0]) => call(ctx as Context, getRawInput);
    procedures[path] = Object.assign(called, procedure);
  }
  return { ...router, _def: { ...router._def, procedures } };
}
