/**
 * Revokes keys through one server process and asks another over the same database until it refuses them; then a few
 * more while the change stream is away. Ends with 1 where one takes longer than what is promised.
 */
import { parseArgs } from 'node:util';
import { readConfig } from 'counterfoil/config';
import { findMongod } from 'counterfoil/database/mongod';
import { startMongod } from '../tests/mongod.ts';
import { type Connection, connect, requestOf, succeed } from './connection.ts';
import { load, percentile, spread } from './measure.ts';
import { key, runBench, startService } from './service.ts';

const { values } = parseArgs({
  options: { revocations: { type: 'string', default: '1000' }, without: { type: 'string', default: '20' } },
});

/** Milliseconds that every revocation may take, and the median of them; and between two looks whether it is in force. */
const most = 5000;
const usualMedian = 1000;
const lookEvery = 2;

/** Milliseconds from when the revocation was sent and from when it was answered, until each process refused the key. */
interface Times {
  sent: { there: number; here: number };
  answered: { there: number; here: number };
  /** Requests that the process of the revocation still took after it had answered. */
  takenHere: number;
}

const use = (secret: string) => requestOf(secret, 'GET', '/user/exists/discordId/123456789012345678');

/** Asks until the key is refused; answers when that was, and how often it was not. */
async function untilRefused(connection: Connection, secret: string) {
  const giveUpAt = performance.now() + 4 * most;
  for (let taken = 0; ; taken += 1) {
    const { status, body } = await connection.ask(use(secret));
    if (status === 401) return { at: performance.now(), taken };
    if (status !== 200 || performance.now() > giveUpAt) throw new Error(`not refused, but ${status}: ${body}`);
    await new Promise((done) => setTimeout(done, lookEvery));
  }
}

/** Makes a key that both processes know, and revokes it through the first. */
async function revokeOne(here: Connection, there: Connection): Promise<Times> {
  const made = await succeed(here, requestOf(key, 'POST', '/keys/create', { name: 'bench', scope: 'read' }));
  for (const connection of [here, there]) await succeed(connection, use(made.secret));
  const revocation = requestOf(key, 'POST', '/keys/revoke', { keyId: made.key.keyId });
  const sentAt = performance.now();
  const { changed } = await succeed(here, revocation);
  if (!changed) throw new Error('it was revoked already');
  const answeredAt = performance.now();
  const [inThere, inHere] = await Promise.all([untilRefused(there, made.secret), untilRefused(here, made.secret)]);
  const since = (start: number) => ({ there: inThere.at - start, here: inHere.at - start });
  return { sent: since(sentAt), answered: since(answeredAt), takenHere: inHere.taken };
}

/** Revokes so many keys, `atOnce` at a time, prints how long it took, and answers whether that was in bounds. */
async function revoke(what: string, ports: number[], count: number, atOnce: number, mostMedian: number) {
  const times: Times[] = [];
  let begun = 0;
  const one = async () => {
    const [here, there] = ports.map(connect) as [Connection, Connection];
    while (begun++ < count) times.push(await revokeOne(here, there));
    for (const connection of [here, there]) connection.close();
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  console.log(`\n${what}: ${times.length} revocations, ${atOnce} at a time; ${load()}`);
  for (const from of ['answered', 'sent'] as const) {
    for (const place of ['there', 'here'] as const) {
      const process = place === 'there' ? 'the other process' : 'the same process';
      console.log(`  ${process}, from when it was ${from}: ${spread(times.map((time) => time[from][place]))}`);
    }
  }
  const taken = times.reduce((sum, { takenHere }) => sum + takenHere, 0);
  console.log(`  taken by the same process after its answer: ${taken} requests`);
  const there = times.map(({ sent }) => sent.there);
  return taken === 0 && percentile(there, 1) <= most && percentile(there, 0.5) <= mostMedian;
}

await runBench(async (own) => {
  const program = await findMongod({ ...readConfig(), report: console.error });
  const mongod = own(await startMongod({ program }));
  // Each revoked key is refused once by each process, all of them to one address.
  const env = { MONGODB_URI: mongod.uri, FAILED_AUTH_LIMIT: '0' };
  const services = [own(await startService(env)), own(await startService(env))];
  const ports = services.map(({ port }) => port);
  const followed = await revoke('with the change stream', ports, Number(values.revocations), 4, usualMedian);
  await mongod.fail(['getMore', 'aggregate'], { errorCode: 8000 });
  const alone = await revoke('without the change stream', ports, Number(values.without), 5, most);
  await mongod.fail([]);
  return followed && alone;
});
