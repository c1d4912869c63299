import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { ChannelType, GatewayDispatchEvents, RESTJSONErrorCodes } from 'discord-api-types/v10';
import type { z } from 'zod';
import { createGateway } from './gateway.ts';
import { createInteractions, DiscordError } from './interactions.ts';
import { Callback, Commands, MessageEdit, NewMessage, NewThread, ThreadEdit } from './payloads.ts';
import { createPeople } from './people.ts';
import { createState, newId } from './state.ts';

/** What befalls the next request of a kind: no answer, before or after it has its effect, or an error. */
type Fate = 'unanswered' | 'done-unanswered' | { status: number; code: number };

type Params = string[];
interface Route {
  method: string;
  path: RegExp;
  /** Without the bot's token, because another token is in the path. */
  open?: true;
  run(params: Params, body: unknown): unknown;
}

function read<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const { data, error } = schema.safeParse(body);
  if (!error) return data as z.output<Schema>;
  const message = `Invalid Form Body: ${JSON.stringify(error.issues)}`;
  throw new DiscordError(400, RESTJSONErrorCodes.InvalidFormBodyOrContentType, message);
}

/** Discord on the loopback address: one server with a bot in it, its REST API and its gateway. */
export async function startDiscord() {
  const token = 'a-token-of-the-fake-discord';
  const state = createState();
  const interactions = createInteractions(state);
  /** Every request that was refused, with Discord's code. */
  const refused: { request: string; code: number; message: string }[] = [];
  const fates: { method: string; path: RegExp; fate: Fate; met: () => void }[] = [];

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      refused.push({ request: `${request.method} ${request.url}`, code: 0, message: String(error?.stack) });
      response.writeHead(500).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const gatewayUrl = `ws://127.0.0.1:${port}`;
  const gateway = createGateway(server, {
    token,
    url: () => gatewayUrl,
    ready: () => ({
      user: state.bot as never,
      guilds: [{ id: state.guildId, unavailable: true }],
      application: { id: state.bot.id, flags: 0 },
    }),
    afterReady: () => [{ t: GatewayDispatchEvents.GuildCreate, d: state.guild() }],
    violated: (message) => refused.push({ request: 'gateway', code: 0, message }),
  });

  function placeOf(id: string) {
    const place = state.channels.get(id) ?? state.threads.get(id)?.channel;
    if (!place) throw new DiscordError(404, RESTJSONErrorCodes.UnknownChannel, 'Unknown Channel');
    return place;
  }
  function threadOf(id: string) {
    placeOf(id);
    const thread = state.threads.get(id);
    if (!thread) throw new DiscordError(400, RESTJSONErrorCodes.CannotExecuteActionOnThisChannelType, 'Not a thread');
    return thread;
  }

  const id = '(\\d{17,20})';
  const webhook = `/webhooks/${id}/([\\w-]+)`;
  const routes: Route[] = [
    {
      method: 'GET',
      path: /^\/gateway\/bot$/,
      run: () => ({
        url: gatewayUrl,
        shards: 1,
        session_start_limit: { total: 1000, remaining: 1000, reset_after: 0, max_concurrency: 1 },
      }),
    },
    {
      method: 'PUT',
      path: new RegExp(`^/applications/${id}/commands$`),
      run(_params, body) {
        state.commands = read(Commands, body).map((command) => ({ id: newId(), ...command }));
        return state.commands.map((command) => ({
          application_id: state.bot.id,
          version: newId(),
          type: 1,
          ...command,
        }));
      },
    },
    {
      method: 'POST',
      path: new RegExp(`^/interactions/${id}/([\\w-]+)/callback$`),
      open: true,
      run: ([interactionId = '', itsToken = ''], body) =>
        interactions.answer(interactionId, itsToken, read(Callback, body)),
    },
    {
      method: 'PATCH',
      path: new RegExp(`^${webhook}/messages/@original$`),
      open: true,
      run: ([, itsToken = ''], body) => interactions.editOriginal(itsToken, read(MessageEdit, body)),
    },
    {
      method: 'POST',
      path: new RegExp(`^${webhook}$`),
      open: true,
      run: ([, itsToken = ''], body) => interactions.followUp(itsToken, read(NewMessage, body)),
    },
    {
      method: 'POST',
      path: new RegExp(`^/channels/${id}/messages$`),
      run([channelId = ''], body) {
        placeOf(channelId);
        if (state.threads.get(channelId)?.channel.thread_metadata?.archived) {
          throw new DiscordError(400, RESTJSONErrorCodes.InvalidActionOnArchivedThread, 'Thread is archived');
        }
        const message = read(
          NewMessage.refine(({ flags }) => !flags, { error: 'Only answers are ephemeral' }),
          body,
        );
        return state.addMessage(channelId, message);
      },
    },
    { method: 'GET', path: new RegExp(`^/channels/${id}$`), run: ([channelId = '']) => placeOf(channelId) },
    {
      method: 'PATCH',
      path: new RegExp(`^/channels/${id}$`),
      run([threadId = ''], body) {
        const { channel } = threadOf(threadId);
        Object.assign(channel.thread_metadata ?? {}, read(ThreadEdit, body));
        gateway.dispatch(GatewayDispatchEvents.ThreadUpdate, channel);
        return channel;
      },
    },
    {
      method: 'POST',
      path: new RegExp(`^/channels/${id}/threads$`),
      run([channelId = ''], body) {
        if (placeOf(channelId).type !== ChannelType.GuildText) {
          throw new DiscordError(400, RESTJSONErrorCodes.CannotExecuteActionOnThisChannelType, 'No threads here');
        }
        const { channel } = state.addThread(channelId, read(NewThread, body));
        gateway.dispatch(GatewayDispatchEvents.ThreadCreate, { ...channel, newly_created: true });
        return channel;
      },
    },
    {
      method: 'PUT',
      path: new RegExp(`^/channels/${id}/thread-members/${id}$`),
      run([threadId = '', userId = '']) {
        const { members } = threadOf(threadId);
        if (!state.members.has(userId)) throw new DiscordError(404, RESTJSONErrorCodes.UnknownMember, 'Unknown Member');
        members.add(userId);
      },
    },
    {
      method: 'GET',
      path: new RegExp(`^/guilds/${id}/threads/active$`),
      run() {
        const active = [...state.threads.values()].filter(({ channel }) => !channel.thread_metadata?.archived);
        const join = { join_timestamp: new Date().toISOString(), flags: 0 };
        return {
          threads: active.map(({ channel }) => channel),
          members: active.map(({ channel }) => ({ id: channel.id, user_id: state.bot.id, ...join })),
        };
      },
    },
  ];

  function run(method: string, path: string, authorization: string | undefined, body: unknown): unknown {
    for (const route of routes) {
      const match = route.method === method ? route.path.exec(path) : null;
      if (!match) continue;
      if (!route.open && authorization !== `Bot ${token}`) throw new DiscordError(401, 0, '401: Unauthorized');
      return route.run(match.slice(1), body);
    }
    throw new DiscordError(404, 0, '404: Not Found');
  }

  async function answer(request: IncomingMessage, response: ServerResponse) {
    const { method = '' } = request;
    const { pathname } = new URL(request.url ?? '', gatewayUrl);
    const path = decodeURIComponent(pathname).replace(/^\/api\/v10/, '');
    const body = request.headers['content-type']?.startsWith('application/json') ? await json(request) : undefined;
    const place = fates.findIndex((fated) => fated.method === method && fated.path.test(path));
    const [fated] = place < 0 ? [] : fates.splice(place, 1);
    try {
      if (fated && typeof fated.fate === 'object') {
        throw new DiscordError(fated.fate.status, fated.fate.code, 'As the test has it');
      }
      if (fated?.fate === 'unanswered') return;
      const result = run(method, path, request.headers.authorization, body);
      if (fated) return;
      if (result === undefined) response.writeHead(204).end();
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
    } catch (error) {
      if (!(error instanceof DiscordError)) throw error;
      const { status, code, message } = error;
      if (!fated) refused.push({ request: `${method} ${path}`, code, message });
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code, message }));
    } finally {
      fated?.met();
    }
  }

  return {
    state,
    gateway,
    refused,
    env: { DISCORD_TOKEN: token, DISCORD_API: `http://127.0.0.1:${port}/api` },
    ...createPeople(state, interactions, gateway),
    /** Decides on the next request of a kind; resolves when it has come. */
    next(method: string, path: RegExp, fate: Fate): Promise<void> {
      return new Promise((met) => fates.push({ method, path, fate, met }));
    },
    /** Somebody deletes a thread. */
    deleteThread(threadId: string) {
      const { channel } = threadOf(threadId);
      state.threads.delete(threadId);
      const { guild_id, parent_id, type } = channel;
      gateway.dispatch(GatewayDispatchEvents.ThreadDelete, { id: threadId, guild_id, parent_id, type });
    },
    /** Nothing was said in a thread for long. */
    archive(threadId: string) {
      const { channel } = threadOf(threadId);
      Object.assign(channel.thread_metadata ?? {}, { archived: true });
      gateway.dispatch(GatewayDispatchEvents.ThreadUpdate, channel);
    },
    async [Symbol.asyncDispose]() {
      gateway.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export type Discord = Awaited<ReturnType<typeof startDiscord>>;
