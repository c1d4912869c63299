/** D: a tRPC router behind tRPC's and trpc-openapi's own middleware in express, and Mongoose. */
import {
  ClaimedTicket,
  ClaimTicket,
  CreatedTicket,
  CreateTicket,
  Ticket,
  TicketByShortId,
} from '@counterfoil/shared/tickets';
import { initTRPC, TRPCError } from '@trpc/server';
import { createExpressMiddleware } from '@trpc/server/adapters/express';
import type { KeyRecord } from 'counterfoil/keys/model';
import express, { type Request } from 'express';
import { createOpenApiExpressMiddleware, type OpenApiMeta } from 'trpc-openapi';
import { createAuthentication } from './authenticate.ts';
import { Refusal } from './documents.ts';
import { openByMongoose } from './mongoose.ts';
import { announce, databaseUri } from './process.ts';

const store = await openByMongoose(databaseUri);
const authenticate = createAuthentication(store);
const t = initTRPC.context<{ key: KeyRecord }>().meta<OpenApiMeta>().create({ isDev: false });
const codes = { 401: 'UNAUTHORIZED', 403: 'FORBIDDEN', 404: 'NOT_FOUND', 409: 'CONFLICT' } as const;

function toTrpcError(error: unknown): unknown {
  return error instanceof Refusal ? new TRPCError({ code: codes[error.status], message: error.type }) : error;
}

const procedure = t.procedure.use(async ({ next }) => {
  const result = await next();
  if (!result.ok) throw toTrpcError(result.error.cause ?? result.error);
  return result;
});

const router = t.router({
  read: procedure
    .meta({ openapi: { method: 'GET', path: '/tickets/get/id/{shortId}' } })
    .input(TicketByShortId)
    .output(Ticket)
    .query(({ ctx, input }) => store.read(ctx.key, input.shortId)),
  create: procedure
    .meta({ openapi: { method: 'POST', path: '/tickets/create' } })
    .input(CreateTicket)
    .output(CreatedTicket)
    .mutation(({ ctx, input }) => store.create(ctx.key, input)),
  claim: procedure
    .meta({ openapi: { method: 'POST', path: '/tickets/claim' } })
    .input(ClaimTicket)
    .output(ClaimedTicket)
    .mutation(({ ctx, input }) => store.claim(ctx.key, input)),
});

async function createContext({ req }: { req: Request }) {
  const key = await authenticate(req.headers.authorization).catch((error: unknown) => {
    throw toTrpcError(error);
  });
  return { key };
}

const app = express();
app.use('/trpc', createExpressMiddleware({ router, createContext }));
app.use(createOpenApiExpressMiddleware({ router, createContext }));
const server = app.listen(0, '127.0.0.1', () => announce(server));
