import { randomUUID } from 'node:crypto';
import type { ErrorType } from '@counterfoil/shared/errors';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { type App, type Call, type Outcome, shortId, snowflake, startApp } from './harness.ts';

/** What a contract test works with: one transport of one running service, in a guild of its own. */
export interface Contract {
  app(): App;
  call: Call;
  /** Calls and expects success; answers the data. */
  // biome-ignore lint/suspicious/noExplicitAny: tests assert on answers of every shape.
  ok(procedure: string, input: object, key?: string): Promise<any>;
  /** Calls and expects this refusal; answers the error. */
  refused(type: ErrorType, procedure: string, input: object, key?: string | null): Promise<Outcome['error']>;
  /** Creates a ticket in a new guild. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  createTicket(fields?: object): Promise<any>;
}

/** Runs the same tests over REST and over tRPC. */
export function contract(name: string, tests: (contract: Contract) => void): void {
  let app: App;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app[Symbol.asyncDispose]());
  describe.each(['rest', 'trpc'] as const)(`${name}, over %s`, (transport) => {
    const call: Call = (...request) => app[transport](...request);
    const ok: Contract['ok'] = async (procedure, input, key) => {
      const { status, data, error } = await call(procedure, input, key);
      expect(error).toBeUndefined();
      expect(status).toBe(200);
      return data;
    };
    tests({
      app: () => app,
      call,
      ok,
      async refused(type, ...request) {
        const { error } = await call(...request);
        expect(error).toMatchObject({ type });
        return error;
      },
      async createTicket(fields = {}) {
        const { ticket } = await ok('tickets.create', { ...newTicket(), ...fields });
        return ticket;
      },
    });
  });
}

/** The input of a create that succeeds anywhere. */
export function newTicket() {
  return {
    ticketType: 'support',
    guildId: snowflake(),
    ticketOwner: snowflake(),
    ticketId: randomUUID(),
    ticketShortId: shortId(),
  };
}
