import { pingDatabase } from '../database/connect.ts';
import { DatabaseUnavailable, ShuttingDown } from '../errors.ts';

/** Milliseconds that a readiness probe waits for the database. */
const probeWait = 2000;

/** Tells that the server can work; throws ShuttingDown or DatabaseUnavailable. */
export async function checkReadiness(draining: boolean): Promise<{ status: 'ready' }> {
  if (draining) throw new ShuttingDown();
  try {
    await pingDatabase(probeWait);
  } catch (error) {
    throw new DatabaseUnavailable(error);
  }
  return { status: 'ready' };
}
