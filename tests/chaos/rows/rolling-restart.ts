import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '@counterfoil/client';
import { startServer, until } from '../../server-process.ts';
import { snowflake } from '../../snowflake.ts';
import { startBalancer } from '../balancer.ts';
import { keepTime, newTicket } from '../caller.ts';
import { key, openDatabase, startMember } from '../one-member.ts';
import type { Row } from '../row.ts';

/** Each sends its next call when it was answered: more than a busy machine can do would be refused as overload. */
const callers = 8;

type Server = Awaited<ReturnType<typeof startServer>>;

/** A service that is ended in order, and started again on its port. */
async function startRestartable(env: Record<string, string>) {
  let server: Server = await startServer({ env });
  const { url } = server;
  return {
    url,
    async restart(): Promise<void> {
      server.kill('SIGTERM');
      const code = await server.exited;
      if (code !== 0) throw new Error(`a service ended with ${code}`);
      server = await startServer({ env: { ...env, PORT: new URL(url).port } });
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export const row: Row = {
  name: 'rolling-restart',
  promise: 'A restart of one process after the other loses no request',
  experiment:
    'Two API processes over one database are restarted (SIGTERM, wait, start again) one after the other, while 8 callers create, read, claim and ' +
    'close tickets: first by the typed client with both addresses, then by clients that try each call once, through a small load balancer that asks ' +
    '/health/ready every 250 ms and sends nothing again. Every call must succeed, and every ticket must be stored with exactly its three changes',
  async run(scale) {
    const rounds = scale === 'full' ? 5 : 1;
    await using member = await startMember();
    const env = { MONGODB_URI: member.uri('rolling'), COUNTERFOIL_KEY: key, LOG_LEVEL: 'silent' };
    await using one = await startRestartable(env);
    await using other = await startRestartable(env);
    await using balancer = await startBalancer([one.url, other.url]);
    await using database = openDatabase(env.MONGODB_URI);
    await until(() => balancer.isReady(one.url) && balancer.isReady(other.url));

    const time = keepTime();
    const problems: string[] = [];
    const guildId = snowflake();
    let [calls, requests, tickets] = [0, 0, 0];
    const counting: typeof fetch = (...request) => {
      requests += 1;
      return fetch(...request);
    };
    const ways = [
      { name: 'both addresses', client: { url: [one.url, other.url] } },
      { name: 'a load balancer', client: { url: balancer.url, retries: 0 } },
    ];
    const told: Record<string, number> = {};
    for (const way of ways) {
      const counterfoil = createClient({ ...way.client, key, batch: false, fetch: counting });
      let isEnough = false;
      [calls, requests] = [0, 0];

      async function call<Answer>(promise: Promise<Answer>): Promise<Answer> {
        calls += 1;
        try {
          const answer = await promise;
          time.count('succeeded');
          return answer;
        } catch (error) {
          time.count('failed');
          throw error;
        }
      }
      async function live() {
        const create = newTicket(guildId);
        const { ticketShortId: shortId, ticketOwner: discordId } = create;
        tickets += 1;
        await call(counterfoil.tickets.create.mutate(create));
        await call(counterfoil.tickets.get.query({ shortId }));
        await call(counterfoil.tickets.claim.mutate({ shortId, discordId }));
        await call(counterfoil.tickets.close.mutate({ shortId, closedBy: discordId }));
      }
      async function restartAll() {
        await sleep(1000);
        for (let round = 0; round < rounds; round += 1) {
          for (const server of [one, other]) {
            time.note('SIGTERM to one process');
            await server.restart();
            time.note('it is back');
            await until(() => balancer.isReady(server.url));
          }
        }
        await sleep(500);
        isEnough = true;
      }
      async function callOn() {
        while (!isEnough) {
          await live().catch((error) => problems.push(`by ${way.name}: ${error.type}: ${error.message}`));
        }
      }
      await Promise.all([restartAll(), ...Array.from({ length: callers }, callOn)]);
      told[`calls by ${way.name}`] = calls;
      told[`of which were sent again by ${way.name}`] = requests - calls;
    }

    const stored = await database.tickets.find().toArray();
    if (stored.length !== tickets) problems.push(`${stored.length} tickets of ${tickets}`);
    for (const { _id, version, claimedBy, closed, history } of stored) {
      const isWhole = version === 3 && history.length === 3 && claimedBy !== null && closed;
      if (!isWhole) problems.push(`${_id} has ${history.map(({ type }) => type)}`);
    }
    return {
      passed: problems.length === 0,
      figures: { restarts: 2 * rounds * ways.length, ...told, tickets },
      problems,
      timeline: time.timeline,
      faults: time.faults,
    };
  },
};
