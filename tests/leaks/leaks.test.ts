import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { makeKey } from 'counterfoil/keys/secret';
import { createLogger } from 'counterfoil/operations/logger';
import { expect, test } from 'vitest';
import { until } from '../server-process.ts';
import { folder, type Leak, type Searched, search } from './search.ts';

async function read(ending: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(ending));
  return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
}

async function leaks(): Promise<Leak[]> {
  return (await read('.leaks')).flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
}

/** The answers that show a secret, this once. */
const issuing = /^answer to POST (\/keys\/|\/trpc\/[^?]*keys\.)(create|rotate)/;

// What is found here first, or the run before, is what all the other tests have answered and logged.
const found = await leaks();
const searched = (await read('.searched')).map((text): Searched => JSON.parse(text));

test.skipIf(searched.length === 0)(
  'no key is in any log or answer of the run, but in the answer that issued it',
  () => {
    const sum = (field: keyof Searched) => searched.reduce((total, one) => total + one[field], 0);
    console.log(`searched ${sum('texts')} answers and log lines, ${sum('characters')} characters`);
    const issued = new Set<string>();
    const others = found.filter(({ where, hash }) => {
      // One answer shows a key, and none again, of these routes neither.
      const isFirst = issuing.test(where) && !issued.has(hash);
      if (isFirst) issued.add(hash);
      return !isFirst;
    });
    console.log(`${issued.size} keys were issued by answers`);
    expect(others).toEqual([]);
  },
);

test('a key that is planted in an answer or in a log line is found', async () => {
  const [answered, logged, environment] = [makeKey(), makeKey(), 'a-key-of-the-environment-planted'];
  const server = createServer((_req, res) =>
    res.setHeader('X-Request-Id', 'planted').end(`{"key":"${answered.key}"}`),
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/planted`);
  server.close();
  const log = createLogger('info', { write: (line) => search('log, planted', line, environment) });
  log.info({ key: logged.key }, 'planted');
  log.info({ key: environment }, 'planted');
  const planted = async () =>
    (await leaks()).filter(({ where }) => where.endsWith('planted')).map(({ keyId }) => keyId);
  await until(async () => (await planted()).length >= 3);
  expect((await planted()).toSorted()).toEqual([answered.keyId, logged.keyId, 'environment'].toSorted());
});
