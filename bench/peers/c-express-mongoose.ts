/** C: express and Mongoose, by hand: what most would write. */
import type { KeyRecord } from 'counterfoil/keys/model';
import express, { type NextFunction, type Request, type Response } from 'express';
import { createAuthentication } from './authenticate.ts';
import { refusalOf } from './documents.ts';
import { openByMongoose } from './mongoose.ts';
import { announce, databaseUri } from './process.ts';

type Keyed = Response<unknown, { key: KeyRecord }>;

const store = await openByMongoose(databaseUri);
const authenticate = createAuthentication(store);
const app = express();

app.use(express.json());
app.use(async (req: Request, res: Keyed, next: NextFunction) => {
  res.locals.key = await authenticate(req.headers.authorization);
  next();
});
app.get('/tickets/get/id/:shortId', async (req, res: Keyed) => {
  res.json(await store.read(res.locals.key, req.params.shortId));
});
app.post('/tickets/create', async (req, res: Keyed) => {
  res.json(await store.create(res.locals.key, req.body));
});
app.post('/tickets/claim', async (req, res: Keyed) => {
  res.json(await store.claim(res.locals.key, req.body));
});
app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
  const { status, body } = refusalOf(error);
  res.status(status).json(body);
});
const server = app.listen(0, '127.0.0.1', () => announce(server));
