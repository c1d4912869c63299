import { connectDatabase } from 'counterfoil/database/connect';
import { migrate } from 'counterfoil/database/migrate';
import fc from 'fast-check';
import { expect, inject, test } from 'vitest';
import { type Conversation, someConversation } from './fuzz/conversations.ts';
import { targets, validInput } from './fuzz/inputs.ts';
import { judgeConversation, judgeRequest } from './fuzz/judge.ts';
import { issueKeys, isValid } from './fuzz/keys.ts';
import { type FuzzRequest, requestOf, someRequest } from './fuzz/requests.ts';
import { createSender } from './fuzz/send.ts';
import { startApp } from './harness.ts';

/** How many inputs, a tenth of them on connections of their own, and what a failed run said its seed was. */
const { FUZZ_INPUTS = '4000', FUZZ_SEED = String(Date.now() % 2 ** 31) } = process.env;
/** How many inputs are under way at once. */
const lanes = 16;
const inputsOfLane = Math.ceil(Number(FUZZ_INPUTS) / lanes);

/** Milliseconds that the search for a smaller counterexample may take. */
const shrinkFor = 20_000;

/** Types of errors that are found before an input is looked at. */
const beforeValidation = new Set([
  ...['missing_key', 'invalid_key', 'rate_limited', 'route_not_found', 'method_not_allowed', 'headers_too_large'],
  ...['invalid_json', 'invalid_encoding', 'batch_too_large', 'body_too_large', 'unsupported_media_type', 'closed'],
]);

class Tally {
  readonly counts = new Map<string, number>();

  add(...names: string[]): void {
    for (const name of names) this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  /** A row for each first part of the names, a column for each second. */
  rows(): Record<string, Record<string, number>> {
    const rows: Record<string, Record<string, number>> = {};
    for (const [name, count] of [...this.counts].sort()) {
      const [row = '', column = ''] = name.split(' | ');
      rows[row] = { ...rows[row], [column]: count };
    }
    return rows;
  }
}

test('whatever is sent, the service answers in its envelope and goes on', { timeout: 1_800_000 }, async () => {
  // A database of its own: what is made of drawn names would meet other tests'.
  const uri = new URL(inject('mongodbUri'));
  uri.pathname = '/fuzz';
  await connectDatabase(uri.href);
  await migrate(() => {});
  await using app = await startApp();
  const sender = createSender(app.port, await issueKeys());
  const [accepted, outcomes, reached, total] = [new Tally(), new Tally(), new Tally(), new Tally()];

  async function sendOne(request: FuzzRequest) {
    const types = judgeRequest(request, await sender.send(request));
    const { kind, key, procedure, transport } = request;
    total.add('inputs', ...(isValid(key) ? ['with a valid key'] : []));
    for (const type of types) outcomes.add(`${type} | ${kind}`);
    if (types.includes('ok')) accepted.add(`${procedure} | ${transport} ${kind}`);
    // In other kinds what is refused as not valid may be a query that the procedure never saw.
    if ((kind === 'valid' || kind === 'mutated') && !types.some((type) => beforeValidation.has(type))) {
      reached.add(`${procedure} over ${transport}`);
      total.add('past the parser');
    }
  }

  async function converseOne(conversation: Conversation) {
    const types = judgeConversation(conversation, await sender.converse(conversation));
    total.add('inputs', 'on raw sockets', ...(isValid(conversation.key) ? ['with a valid key'] : []));
    for (const type of types) outcomes.add(`${type} | raw`);
    if (types.includes('ok')) accepted.add(`raw: ${conversation.kind} | raw`);
  }

  /** Runs an arbitrary's values one after the other; answers what failed, if anything did. */
  async function run<T>(lane: number, numRuns: number, arbitrary: fc.Arbitrary<T>, one: (value: T) => Promise<void>) {
    let failedAt: number | undefined;
    const property = fc.asyncProperty(arbitrary, async (value) => {
      if (failedAt !== undefined && performance.now() - failedAt > shrinkFor) return;
      try {
        await one(value);
      } catch (error) {
        failedAt ??= performance.now();
        throw error;
      }
    });
    const { failed, counterexample, errorInstance } = await fc.check(property, {
      seed: Number(FUZZ_SEED) + lane,
      numRuns,
      unbiased: true,
    });
    if (!failed) return [];
    return [`FUZZ_SEED=${FUZZ_SEED}: ${errorInstance}: ${fc.stringify(counterexample).slice(0, 2000)}`];
  }

  /** One input for each procedure and transport, so that none is left out by chance. */
  async function reachAll() {
    const drawn = targets.flatMap((target) => {
      const [input] = fc.sample(validInput(target), { seed: Number(FUZZ_SEED), numRuns: 1 });
      const transports = target.path ? (['rest', 'trpc'] as const) : (['trpc'] as const);
      return transports.map((transport) => requestOf(target, transport, input));
    });
    const failed: string[] = [];
    for (const shot of drawn) {
      const request: FuzzRequest = { ...shot, kind: 'valid', key: 'admin' };
      failed.push(...(await run(0, 1, fc.constant(request), sendOne)));
    }
    return failed;
  }

  const startedAt = performance.now();
  const first = await reachAll();
  const raw = Math.ceil(inputsOfLane / 10);
  const failures = await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => [
      ...(await run(lane, inputsOfLane - raw, someRequest, sendOne)),
      ...(await run(lane, raw, someConversation, converseOne)),
    ]),
  );
  sender.close();
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(`seed ${FUZZ_SEED}, ${seconds.toFixed(1)} s`, Object.fromEntries(total.counts));
  console.log('what the answers were, by kind of input');
  console.table(outcomes.rows());
  console.log('what was accepted, by procedure and kind of input');
  console.table(accepted.rows());

  expect([...first, ...failures.flat()]).toEqual([]);
  const count = (name: string) => total.counts.get(name) ?? 0;
  const inputs = count('inputs');
  expect(inputs).toBeGreaterThanOrEqual(Number(FUZZ_INPUTS));
  expect(count('on raw sockets')).toBeGreaterThanOrEqual(Number(FUZZ_INPUTS) / 10);
  expect(count('with a valid key')).toBeGreaterThan(inputs / 2);
  expect(count('past the parser')).toBeGreaterThan(0.3 * inputs);
  const all = targets.flatMap(({ name, path }) => [`${name} over trpc`, ...(path ? [`${name} over rest`] : [])]);
  expect(all.filter((name) => !reached.counts.has(name))).toEqual([]);
  expect(await app.fetch('/health/ready')).toMatchObject({ status: 200 });
});
