import type { TRPCClient } from '@trpc/client';
import type { inferRouterInputs, inferRouterOutputs } from '@trpc/server';
import type { AppRouter } from 'counterfoil/router';

export type { AppRouter };

/** The input of every procedure, such as `RouterInputs['tickets']['claim']`. */
export type RouterInputs = inferRouterInputs<AppRouter>;
/** The output of every procedure, such as `RouterOutputs['tickets']['claim']`. */
export type RouterOutputs = inferRouterOutputs<AppRouter>;

/** A client of the service: every procedure with its input and output. */
export type CounterfoilClient = TRPCClient<AppRouter>;
