import { ServerResponse } from 'node:http';
import { search } from './search.ts';

/** Searches what every server of this process answers for keys; loaded before the service in each process of a test run. */
const watched = Symbol.for('counterfoil.leaks');
if (!(watched in ServerResponse.prototype)) {
  Object.defineProperty(ServerResponse.prototype, watched, { value: true });
  for (const method of ['write', 'end'] as const) {
    const original = ServerResponse.prototype[method] as (...parts: unknown[]) => unknown;
    Object.defineProperty(ServerResponse.prototype, method, {
      // Others put their own in its place, on single answers.
      writable: true,
      value(this: ServerResponse, ...parts: unknown[]) {
        const [chunk] = parts;
        // Every answer of the service has one; what tests answer in its place has none.
        if (!this.hasHeader('x-request-id')) return original.apply(this, parts);
        if (typeof chunk === 'string' || chunk instanceof Uint8Array) {
          const where = `answer to ${this.req.method} ${this.req.url}`;
          search(where, Buffer.from(chunk as string).toString(), process.env.COUNTERFOIL_KEY);
        }
        if (method === 'end') search(`headers to ${this.req.url}`, JSON.stringify(this.getHeaders()));
        return original.apply(this, parts);
      },
    });
  }
}
