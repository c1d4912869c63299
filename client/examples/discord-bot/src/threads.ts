import { pages, type Ticket } from '@counterfoil/client';
import { ChannelType, DiscordAPIError, type Guild, RESTJSONErrorCodes, ThreadAutoArchiveDuration } from 'discord.js';
import { counterfoil } from './counterfoil.ts';
import { clip, controls, opening, ticketLabel } from './messages.ts';
import { Refusal } from './problems.ts';

const isOneOf = (error: unknown, ...codes: RESTJSONErrorCodes[]) =>
  error instanceof DiscordAPIError && codes.some((code) => code === error.code);

/** The threads being made right now, by short id, so that no ticket gets two. */
const underway = new Map<string, Promise<string>>();

/** The id of the ticket's thread, which is made where there is none yet. */
export async function ensureThread(guild: Guild, ticket: Ticket): Promise<string> {
  const { ticketShortId: shortId, channelId } = ticket;
  if (channelId) return channelId;
  let making = underway.get(shortId);
  if (!making) {
    making = makeThread(guild, ticket).finally(() => underway.delete(shortId));
    underway.set(shortId, making);
  }
  return making;
}

/**
 * Makes the thread of a ticket. That its id is kept in the ticket comes last: until then, this goes on wherever the
 * bot was ended before, with the thread that it finds by its name.
 */
async function makeThread(guild: Guild, ticket: Ticket): Promise<string> {
  const { ticketShortId: shortId, ticketName, ticketType, ticketOwner } = ticket;
  const bot = guild.client.user;
  const { channelId, staffRoleIds } = await counterfoil.channels.get.query({ ticketType, guildId: guild.id });
  const channel = await guild.channels.fetch(channelId).catch(() => null);
  if (channel?.type !== ChannelType.GuildText) throw new Refusal('The channel of these tickets is not there.');

  const name = ticketLabel(ticketName, shortId);
  const { threads } = await channel.threads.fetchActive();
  const thread =
    threads.find((active) => active.name === name && active.ownerId === bot.id) ??
    (await channel.threads.create({
      name,
      type: ChannelType.PrivateThread,
      invitable: false,
      autoArchiveDuration: ThreadAutoArchiveDuration.OneWeek,
    }));
  if (!thread.messageCount) await thread.send(opening(ticket, staffRoleIds ?? []));
  await thread.members.add(ticketOwner).catch((error) => {
    // Who has left the server, deleted their account or cannot see the channel is still the owner of the ticket.
    const { UnknownMember, UnknownUser, MissingAccess } = RESTJSONErrorCodes;
    if (!isOneOf(error, UnknownMember, UnknownUser, MissingAccess)) throw error;
    console.warn(`Ticket ${shortId}: its owner could not be added to the thread (${error.message}).`);
  });
  await counterfoil.tickets.update.mutate({ shortId, channelId: thread.id, actorId: bot.id });
  return thread.id;
}

/**
 * Says in the ticket's thread what has happened, with the buttons for what can happen next. `users` are those whom it
 * mentions: a mention lets somebody into the private thread, so that no text of a member may make one.
 */
export async function announce(guild: Guild, ticket: Ticket, content: string, users: string[]): Promise<void> {
  const channelId = await ensureThread(guild, ticket);
  try {
    const thread = await guild.channels.fetch(channelId);
    if (!thread?.isThread()) return;
    if (thread.archived) await thread.setArchived(false);
    const components = controls(ticket);
    await thread.send({ content: clip(content, 2000), components, allowedMentions: { users } });
  } catch (error) {
    // Somebody has deleted the thread: the ticket goes on without.
    if (!isOneOf(error, RESTJSONErrorCodes.UnknownChannel)) throw error;
  }
}

/** Gives every open ticket of a server its thread: the bot may have been ended before it could. */
export async function mendThreads(guild: Guild): Promise<void> {
  const open = { guildId: guild.id, status: 'open' as const, sort: 'oldest' as const, limit: 100 };
  for await (const { tickets } of pages((cursor) => counterfoil.tickets.list.query({ ...open, cursor }))) {
    for (const ticket of tickets) {
      await ensureThread(guild, ticket).catch((error) => console.error(`Ticket ${ticket.ticketShortId}:`, error));
    }
  }
}
