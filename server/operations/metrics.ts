import type { mongo } from 'mongoose';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type Metrics = ReturnType<typeof createMetrics>;

/** What Prometheus is told: requests by route and status, their latency (seconds), the database pool, the process. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = new Counter({
    name: 'counterfoil_http_requests_total',
    help: 'Requests answered, by route and status.',
    labelNames: ['route', 'status'],
    registers,
  });
  const latency = new Histogram({
    name: 'counterfoil_http_request_duration_seconds',
    help: 'Time from the head of a request to the end of its answer, by route.',
    labelNames: ['route'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const pool = new Gauge({
    name: 'counterfoil_database_connections',
    help: 'Connections to the database: open, and in use.',
    labelNames: ['state'],
    registers,
  });
  return {
    registry,
    /** Counts an answered request; `seconds` is its latency. */
    count(route: string, status: number, seconds: number) {
      requests.inc({ route, status });
      latency.observe({ route }, seconds);
    },
    /** Follows the connection pool of a client that has not connected yet. */
    watchPool(client: mongo.MongoClient) {
      const open = { state: 'open' };
      const inUse = { state: 'in_use' };
      pool.set(open, 0);
      pool.set(inUse, 0);
      client.on('connectionCreated', () => pool.inc(open));
      client.on('connectionClosed', () => pool.dec(open));
      client.on('connectionCheckedOut', () => pool.inc(inUse));
      client.on('connectionCheckedIn', () => pool.dec(inUse));
    },
  };
}
