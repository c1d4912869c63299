import type { Server } from 'node:http';

/** The database that a peer is told by its environment. */
export const databaseUri = process.env.MONGODB_URI ?? '';

/** Tells whoever started a peer where it listens. */
export function announce(server: Server): void {
  const address = server.address();
  if (typeof address === 'object' && address) console.log(`listening on ${address.port}`);
}
