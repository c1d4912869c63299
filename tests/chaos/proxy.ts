import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** Stands before a mongod, and delays, holds, cuts or half-closes what passes. */
export async function startTcpProxy(port: number) {
  const pairs = new Set<{ client: Socket; member: Socket }>();
  const state = { delay: 0, held: Promise.resolve(), letGo: () => {} };

  /** Passes bytes on in their order. */
  function pass(from: Socket, to: Socket) {
    let last = Promise.resolve();
    const after = (work: () => void) => {
      last = last.then(async () => {
        if (state.delay > 0) await sleep(state.delay);
        await state.held;
        if (!to.destroyed && to.writable) work();
      });
    };
    from.on('data', (chunk) => after(() => to.write(chunk)));
    from.on('end', () => after(() => to.end()));
  }

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const member = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const pair = { client, member };
    pairs.add(pair);
    for (const socket of [client, member]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        client.destroy();
        member.destroy();
      });
    }
    pass(client, member);
    pass(member, client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    /** Milliseconds that each piece takes in each direction. */
    delay(milliseconds: number) {
      state.delay = milliseconds;
    },
    /** Lets nothing pass, and closes nothing, until it is let go. */
    hold() {
      state.held = new Promise((resolve) => {
        state.letGo = resolve;
      });
    },
    letGo: () => state.letGo(),
    /** Cuts every connection. */
    cut() {
      for (const { client, member } of pairs) {
        client.resetAndDestroy();
        member.resetAndDestroy();
      }
    },
    /** Ends the direction from the member on every connection; the other stays open. */
    halfClose() {
      for (const { client } of pairs) client.end();
    },
    async [Symbol.asyncDispose]() {
      state.letGo();
      for (const { client, member } of pairs) {
        client.destroy();
        member.destroy();
      }
      server.close();
      await once(server, 'close');
    },
  };
}
