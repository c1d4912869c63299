/** Loaded before a service, leads its connections to some ports of this machine to others, where proxies stand. */
import net from 'node:net';

const ports: Record<string, number> = JSON.parse(process.env.CHAOS_PORTS ?? '{}');
const { connect } = net.Socket.prototype;
// biome-ignore lint/suspicious/noExplicitAny: connect has many signatures; here are its options, as node:net passes them on.
net.Socket.prototype.connect = function redirected(this: net.Socket, ...args: any[]) {
  const [options] = args.flat();
  if (options?.port in ports) options.port = ports[options.port];
  return connect.apply(this, args as Parameters<typeof connect>);
} as typeof connect;
