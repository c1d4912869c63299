import {
  AllowedMentionsTypes,
  type APIGuildMember,
  type APIMessage,
  type APIRole,
  type APITextChannel,
  type APIThreadChannel,
  type APIUser,
  ChannelType,
  GuildDefaultMessageNotifications,
  GuildExplicitContentFilter,
  type GuildMemberFlags,
  GuildMFALevel,
  GuildNSFWLevel,
  GuildPremiumTier,
  type GuildSystemChannelFlags,
  GuildVerificationLevel,
  Locale,
  MessageType,
  type RoleFlags,
  ThreadAutoArchiveDuration,
} from 'discord-api-types/v10';
import type { z } from 'zod';
import type { Command, NewMessage, NewThread, Rows } from './payloads.ts';

let counter = 0n;
/** A new Discord id, as Discord makes them: the time, and a number. */
export function newId(): string {
  counter += 1n;
  return String(((BigInt(Date.now()) - 1_420_070_400_000n) << 22n) + counter);
}

/** A thread, and who is in it. */
interface Thread {
  channel: APIThreadChannel;
  members: Set<string>;
}

/** A message, of the components that the bot may send. */
export type Message = Omit<APIMessage, 'components'> & { components: z.output<typeof Rows> };

/** Whom a message mentions that does not say whom it may. */
const mentionable = [AllowedMentionsTypes.User, AllowedMentionsTypes.Role];

type Saying = Partial<z.output<typeof NewMessage>>;

const newUser = (username: string, bot = false): APIUser => ({
  id: newId(),
  username,
  global_name: username,
  discriminator: '0',
  avatar: null,
  bot,
});

/** One server of Discord, with a bot in it. */
export function createState() {
  const bot = newUser('ticket-bot', true);
  const guildId = newId();
  const ownerId = newId();
  const roles = new Map<string, APIRole>();
  const channels = new Map<string, APITextChannel>();
  const threads = new Map<string, Thread>();
  const members = new Map<string, APIGuildMember>();
  const messages: Message[] = [];

  const state = {
    bot,
    guildId,
    roles,
    channels,
    threads,
    members,
    /** All that were sent, oldest first, ephemeral ones too. */
    messages,
    commands: [] as (Command & { id: string })[],

    addRole(name: string, permissions = 0n, id = newId()): string {
      const colors = { primary_color: 0, secondary_color: null, tertiary_color: null };
      const rest = { color: 0, colors, hoist: false, managed: false, mentionable: true, flags: 0 as RoleFlags };
      roles.set(id, { id, name, permissions: String(permissions), position: roles.size, ...rest });
      return id;
    },
    addChannel(name: string): string {
      const id = newId();
      channels.set(id, {
        id,
        name,
        type: ChannelType.GuildText,
        guild_id: guildId,
        position: channels.size,
        permission_overwrites: [],
        nsfw: false,
        topic: null,
        parent_id: null,
        rate_limit_per_user: 0,
        last_message_id: null,
      } as unknown as APITextChannel);
      return id;
    },
    addMember(username: string, roleIds: string[] = [], user = newUser(username)): APIUser {
      members.set(user.id, {
        user,
        nick: null,
        avatar: null,
        banner: null,
        roles: roleIds,
        joined_at: new Date().toISOString(),
        premium_since: null,
        deaf: false,
        mute: false,
        flags: 0 as GuildMemberFlags,
      } as APIGuildMember);
      return user;
    },
    permissionsOf(userId: string): bigint {
      const all = [guildId, ...(members.get(userId)?.roles ?? [])];
      return all.reduce((sum, id) => sum | BigInt(roles.get(id)?.permissions ?? 0), 0n);
    },
    addThread(parentId: string, { name, type, auto_archive_duration, invitable }: z.output<typeof NewThread>): Thread {
      const id = newId();
      const channel = {
        id,
        name,
        type,
        guild_id: guildId,
        parent_id: parentId,
        owner_id: bot.id,
        member_count: 1,
        message_count: 0,
        total_message_sent: 0,
        last_message_id: null,
        rate_limit_per_user: 0,
        flags: 0,
        thread_metadata: {
          archived: false,
          locked: false,
          invitable: invitable ?? true,
          auto_archive_duration: auto_archive_duration ?? ThreadAutoArchiveDuration.OneDay,
          archive_timestamp: new Date().toISOString(),
          create_timestamp: new Date().toISOString(),
        },
      } as unknown as APIThreadChannel;
      const thread = { channel, members: new Set([bot.id]) };
      threads.set(id, thread);
      return thread;
    },
    /** A message of the bot. Who it mentions, and may mention, gets into the thread that it is in. */
    addMessage(channelId: string, { content = '', embeds = [], components = [], flags, ...rest }: Saying) {
      const message: Message = {
        id: newId(),
        channel_id: channelId,
        author: bot,
        type: MessageType.Default,
        content,
        embeds,
        components,
        ...(flags && { flags }),
        timestamp: new Date().toISOString(),
        edited_timestamp: null,
        tts: false,
        mention_everyone: false,
        mentions: [],
        mention_roles: [],
        attachments: [],
        pinned: false,
      };
      messages.push(message);
      const thread = threads.get(channelId);
      if (thread && !flags) {
        thread.channel.message_count = (thread.channel.message_count ?? 0) + 1;
        for (const id of state.mentionedIn(content, rest.allowed_mentions)) thread.members.add(id);
      }
      return message;
    },
    mentionedIn(content: string, allowed: Saying['allowed_mentions']): string[] {
      const { parse = [], users = [], roles: allowedRoles = [] } = allowed ?? { parse: mentionable };
      const everyone = [...members.values()];
      return everyone
        .filter(({ user, roles: theirs }) => {
          const byName =
            content.includes(`<@${user.id}>`) && (parse.includes(AllowedMentionsTypes.User) || users.includes(user.id));
          const byRole = theirs.some(
            (id) =>
              content.includes(`<@&${id}>`) && (parse.includes(AllowedMentionsTypes.Role) || allowedRoles.includes(id)),
          );
          return byName || byRole;
        })
        .map(({ user }) => user.id);
    },
    /** What the bot is told of the server when it comes. */
    guild: () => ({
      id: guildId,
      name: 'A server',
      icon: null,
      splash: null,
      discovery_splash: null,
      owner_id: ownerId,
      afk_channel_id: null,
      afk_timeout: 60,
      verification_level: GuildVerificationLevel.None,
      default_message_notifications: GuildDefaultMessageNotifications.OnlyMentions,
      explicit_content_filter: GuildExplicitContentFilter.Disabled,
      roles: [...roles.values()],
      emojis: [],
      stickers: [],
      features: [],
      mfa_level: GuildMFALevel.None,
      application_id: null,
      system_channel_id: null,
      system_channel_flags: 0 as GuildSystemChannelFlags,
      rules_channel_id: null,
      vanity_url_code: null,
      description: null,
      banner: null,
      premium_tier: GuildPremiumTier.None,
      premium_progress_bar_enabled: false,
      preferred_locale: Locale.EnglishUS,
      public_updates_channel_id: null,
      nsfw_level: GuildNSFWLevel.Default,
      safety_alerts_channel_id: null,
      joined_at: new Date().toISOString(),
      large: false,
      unavailable: false,
      member_count: members.size,
      voice_states: [],
      members: [members.get(bot.id)],
      channels: [...channels.values()],
      threads: [...threads.values()].map(({ channel }) => channel),
      presences: [],
      stage_instances: [],
      guild_scheduled_events: [],
      soundboard_sounds: [],
    }),
  };
  state.addRole('@everyone', 0n, guildId);
  state.addMember(bot.username, [], bot);
  return state;
}

export type State = ReturnType<typeof createState>;
