import type { ErrorType } from '@counterfoil/shared/errors';
import { covers, type Scope } from '@counterfoil/shared/keys';
import { initTRPC, type TRPCDefaultErrorShape } from '@trpc/server';
import { TRPC_ERROR_CODES_BY_KEY } from '@trpc/server/rpc';
import type { z } from 'zod';
import type { Context } from './context.ts';
import { inTime, mayHaveSent } from './database/connect.ts';
import { InsufficientScope, toDomainError, trpcCode } from './errors.ts';
import { requireGuilds } from './keys/guilds.ts';
import { withinCapacity } from './operations/load.ts';

/** What a procedure says about itself: its REST route, and the errors of its own that it may answer with. */
export type RouteMeta = {
  openapi?: {
    method: 'GET' | 'POST';
    path: `/${string}`;
    summary: string;
    description?: string;
    tags: string[];
  };
  errors?: readonly ErrorType[];
  /** The scope that a key needs; set by the procedure's type. */
  scope?: Scope;
};

const t = initTRPC
  .context<Context>()
  .meta<RouteMeta>()
  .create({
    isDev: false,
    errorFormatter: ({ shape, error, type, ctx, path }) => formatError(shape, error, type, ctx?.requestId, path),
  });

function formatError(
  shape: TRPCDefaultErrorShape,
  error: unknown,
  type: 'query' | 'mutation' | 'subscription' | 'unknown',
  requestId: string | undefined,
  path: string | undefined,
) {
  const domainError = toDomainError(error, type === 'unknown' ? 'query' : type);
  const code = trpcCode(domainError.status);
  return {
    ...shape,
    message: domainError.message,
    code: TRPC_ERROR_CODES_BY_KEY[code],
    data: {
      code,
      httpStatus: domainError.status,
      path,
      type: domainError.type,
      requestId,
      issues: domainError.issues,
      details: domainError.details as Record<string, unknown> | undefined,
    },
  };
}

export const router = t.router;

function guildOf(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || !('guildId' in input)) return undefined;
  return typeof input.guildId === 'string' ? input.guildId : undefined;
}

/** Refuses a key that is too narrow: its scope first, then the guild that the input names. */
function authorize(needed: Scope, { key }: Context, input: unknown): void {
  if (!covers(key.scope, needed)) throw new InsufficientScope(needed);
  const guildId = guildOf(input);
  if (guildId !== undefined) requireGuilds(key, [guildId]);
}

/**
 * Lets a call through that its key may make, bounds how many are under way and how long each waits for the database, and
 * tells a command that was never sent from one without a confirmation.
 */
const guard = (needed: Scope) =>
  t.middleware(async ({ ctx, input, type, next }) => {
    authorize(needed, ctx, input);
    const startedAt = performance.now();
    try {
      const result = await withinCapacity(() => inTime(next()));
      if (result.ok) return result;
      throw result.error;
    } catch (error) {
      throw toDomainError(error, mayHaveSent(startedAt) ? type : 'query');
    }
  });

// The input is part of the procedure's type: it is validated first, so that a refusal is 400 before 403.
const procedure =
  (scope: Scope) =>
  <Input extends z.ZodType>(input: Input) =>
    t.procedure.meta({ scope }).input(input).use(guard(scope));

/** A procedure for keys of any scope. */
export const readProcedure = procedure('read');
/** A procedure for keys that may write. */
export const writeProcedure = procedure('write');
/** A procedure for keys that administer. */
export const adminProcedure = procedure('admin');
