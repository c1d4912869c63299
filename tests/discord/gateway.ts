import type { Server } from 'node:http';
import { GatewayCloseCodes, GatewayDispatchEvents, GatewayIntentBits, GatewayOpcodes } from 'discord-api-types/v10';
import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';

const allIntents = Object.values(GatewayIntentBits).reduce<number>(
  (all, bit) => (typeof bit === 'number' ? all | bit : all),
  0,
);

/** What a bot may send. */
const Command = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal(GatewayOpcodes.Heartbeat), d: z.int().nullable() }),
  z.strictObject({
    op: z.literal(GatewayOpcodes.Identify),
    d: z.object({
      token: z.string(),
      intents: z.int().refine((intents) => (intents & ~allIntents) === 0),
      properties: z.object({ os: z.string(), browser: z.string(), device: z.string() }),
      shard: z.tuple([z.int(), z.int()]).optional(),
    }),
  }),
  z.strictObject({
    op: z.literal(GatewayOpcodes.Resume),
    d: z.strictObject({ token: z.string(), session_id: z.string(), seq: z.int() }),
  }),
]);

/** An event without its envelope; `d` is what discord-api-types names for `t`, which the callers see to. */
interface Event {
  t: GatewayDispatchEvents;
  d: unknown;
}

interface Session {
  id: string;
  /** Every event so far: its place is its sequence number less one. */
  events: Event[];
  socket: WebSocket | null;
}

interface Options {
  token: string;
  /** The bot's user, its application and its servers. */
  ready(): object;
  /** What follows READY. */
  afterReady(): Event[];
  url(): string;
  /** Told of what is not as it should be. */
  violated(what: string): void;
}

/** Discord's gateway: says hello, identifies, resumes and dispatches, to one shard. */
export function createGateway(server: Server, { token, ready, afterReady, url, violated }: Options) {
  const sessions = new Map<string, Session>();
  const sockets = new WebSocketServer({ server });

  function send({ socket }: Session, event: Event, seq: number) {
    socket?.send(JSON.stringify({ op: GatewayOpcodes.Dispatch, s: seq, ...event }));
  }

  function dispatchTo(session: Session, event: Event) {
    session.events.push(event);
    send(session, event, session.events.length);
  }

  function identify(socket: WebSocket): Session {
    const session: Session = { id: `session-${sessions.size + 1}`, events: [], socket };
    sessions.set(session.id, session);
    dispatchTo(session, {
      t: GatewayDispatchEvents.Ready,
      d: { v: 10, session_id: session.id, resume_gateway_url: url(), shard: [0, 1], ...ready() },
    });
    for (const event of afterReady()) dispatchTo(session, event);
    return session;
  }

  function resume(socket: WebSocket, id: string, seq: number): Session | null {
    const session = sessions.get(id);
    if (!session) {
      socket.send(JSON.stringify({ op: GatewayOpcodes.InvalidSession, d: false }));
      return null;
    }
    session.socket = socket;
    session.events.slice(seq).forEach((event, index) => {
      send(session, event, seq + index + 1);
    });
    dispatchTo(session, { t: GatewayDispatchEvents.Resumed, d: {} });
    return session;
  }

  sockets.on('connection', (socket, request) => {
    const asked = new URL(request.url ?? '/', 'ws://discord').searchParams;
    if (asked.get('v') !== '10' || asked.get('encoding') !== 'json') violated(`gateway ${request.url}`);
    let session: Session | null = null;
    socket.send(JSON.stringify({ op: GatewayOpcodes.Hello, d: { heartbeat_interval: 41_250 } }));
    socket.on('message', (data) => {
      const { data: command, error } = Command.safeParse(JSON.parse(String(data)));
      if (error) {
        violated(`gateway command ${error.message}`);
        return socket.close(GatewayCloseCodes.DecodeError);
      }
      if (command.op === GatewayOpcodes.Heartbeat)
        return socket.send(JSON.stringify({ op: GatewayOpcodes.HeartbeatAck }));
      if (command.d.token !== token) return socket.close(GatewayCloseCodes.AuthenticationFailed);
      session =
        command.op === GatewayOpcodes.Identify ? identify(socket) : resume(socket, command.d.session_id, command.d.seq);
    });
    socket.on('close', () => {
      if (session?.socket === socket) session.socket = null;
    });
  });

  return {
    dispatch(t: GatewayDispatchEvents, d: unknown) {
      for (const session of sessions.values()) dispatchTo(session, { t, d });
    },
    /** Delivers the last event once more, as a gateway may after a resume. */
    repeat() {
      for (const session of sessions.values()) {
        const last = session.events.at(-1);
        if (last) dispatchTo(session, last);
      }
    },
    /** Cuts the connections, as a failing network does: what happens meanwhile is told when they are resumed. */
    cut() {
      for (const socket of sockets.clients) socket.terminate();
    },
    sessions: () => sessions.size,
    close: () => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    },
  };
}

export type Gateway = ReturnType<typeof createGateway>;
