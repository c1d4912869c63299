/** B: fastify and the driver. */
import type { ClaimTicket, CreateTicket } from '@counterfoil/shared/tickets';
import fastify from 'fastify';
import { createAuthentication } from './authenticate.ts';
import { refusalOf } from './documents.ts';
import { openByDriver } from './driver.ts';
import { announce, databaseUri } from './process.ts';

const store = await openByDriver(databaseUri);
const authenticate = createAuthentication(store);
const app = fastify();

app.get<{ Params: { shortId: string } }>('/tickets/get/id/:shortId', async ({ headers, params }) =>
  store.read(await authenticate(headers.authorization), params.shortId),
);
app.post<{ Body: CreateTicket }>('/tickets/create', async ({ headers, body }) =>
  store.create(await authenticate(headers.authorization), body),
);
app.post<{ Body: ClaimTicket }>('/tickets/claim', async ({ headers, body }) =>
  store.claim(await authenticate(headers.authorization), body),
);
app.setErrorHandler((error, _request, reply) => {
  const { status, body } = refusalOf(error);
  return reply.code(status).send(body);
});
await app.listen({ port: 0, host: '127.0.0.1' });
announce(app.server);
