import { connectDatabase, disconnectDatabase } from 'counterfoil/database/connect';
import { Counter, takeTicketNumber } from 'counterfoil/tickets/numbers';
import { mongo } from 'mongoose';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startMongod } from './mongod.ts';
import { until } from './server-process.ts';
import { snowflake } from './snowflake.ts';

let mongod: Awaited<ReturnType<typeof startMongod>>;

beforeAll(async () => {
  mongod = await startMongod();
  await connectDatabase(mongod.uri);
});

afterEach(() => mongod.fail([]));

afterAll(async () => {
  await disconnectDatabase();
  await mongod[Symbol.asyncDispose]();
});

/** So many that their numbers are taken together. */
const severalGuilds = () => Array.from({ length: 12 }, snowflake);

test('numbers of several guilds are taken with one update and one read, each from its own counter', async () => {
  const guilds = severalGuilds();
  await Counter.insertMany(guilds.slice(1).map((_id, place) => ({ _id, tickets: 10 * place })));
  await mongod.fail(['findAndModify'], { errorCode: 1 });
  const numbers = await Promise.all([...guilds, ...guilds].map(takeTicketNumber));
  const first = [1, ...guilds.slice(1).map((_, place) => 10 * place + 1)];
  expect(numbers).toEqual([...first, ...first.map((number) => number + 1)]);
});

test('a number that cannot be taken fails alone', async () => {
  const guilds = severalGuilds();
  await Counter.collection.insertOne({ _id: guilds[0], tickets: 'none' } as object);
  const settled = await Promise.allSettled(guilds.map(takeTicketNumber));
  expect(settled.map((one) => (one.status === 'fulfilled' ? one.value : one.status))).toEqual([
    'rejected',
    ...Array(11).fill(1),
  ]);
});

test('numbers that a majority does not confirm are not given to anybody', async () => {
  const guilds = severalGuilds();
  await mongod.fail(['update'], { writeConcernError: { code: 100, errmsg: 'not confirmed' } });
  const settled = await Promise.allSettled(guilds.map(takeTicketNumber));
  const reasons = settled.map((one) => (one.status === 'rejected' ? one.reason : one.value));
  expect(reasons.filter((reason) => reason instanceof mongo.MongoNetworkError)).toHaveLength(12);
  await mongod.fail([]);
  expect(await Promise.all(guilds.map(takeTicketNumber))).toEqual(Array(12).fill(2));
});

test.each([
  { others: 2, expected: 1 },
  { others: 4, expected: 6 },
])('where $others others took numbers before the read, ours is $expected', async ({ others, expected }) => {
  const [crowded = '', ...quiet] = severalGuilds();
  await mongod.fail(['find'], { namespace: 'counterfoil.counters', blockConnection: true, blockTimeMS: 500 });
  const taking = Promise.all([crowded, ...quiet].map(takeTicketNumber));
  await until(async () => (await Counter.countDocuments({ _id: crowded })) === 1);
  const newer = Array.from({ length: others }, (_, place) => ({ by: 'another', to: 1 + others - place }));
  await Counter.collection.updateOne({ _id: crowded } as object, [
    { $set: { tickets: 1 + others, taken: { $slice: [{ $concatArrays: [newer, '$taken'] }, 4] } } },
  ]);
  expect(await taking).toEqual([expected, ...Array(11).fill(1)]);
});
