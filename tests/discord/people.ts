import {
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ChannelType,
  ComponentType,
  GatewayDispatchEvents,
  InteractionContextType,
  InteractionType,
  Locale,
  MessageFlags,
  PermissionFlagsBits,
} from 'discord-api-types/v10';
import { until } from '../server-process.ts';
import type { Gateway } from './gateway.ts';
import type { Interaction, Interactions } from './interactions.ts';
import type { Component } from './payloads.ts';
import type { Message, State } from './state.ts';

/** What Discord would show to whoever did something. */
export interface Outcome extends Interaction {
  /** The text of the last message that was said to them; empty where there is none. */
  text: string;
  /** Whether Discord would say "This interaction failed". */
  hasFailed: boolean;
}

type Fields = Pick<Interaction, 'type' | 'channelId' | 'message'>;

/** The members of the server, who see and do what Discord lets them. */
export function createPeople(state: State, interactions: Interactions, gateway: Gateway) {
  /** The buttons and selects of a message. */
  const componentsOf = ({ components: rows }: Message) => rows.flatMap(({ components }): Component[] => components);

  function begin(userId: string, fields: Fields, data: object): Interaction {
    const interaction = interactions.begin({ ...fields, userId });
    const { type, channelId, message, id, token } = interaction;
    const thread = state.threads.get(channelId)?.channel;
    const permissions = String(state.permissionsOf(userId));
    gateway.dispatch(GatewayDispatchEvents.InteractionCreate, {
      id,
      token,
      type,
      data,
      application_id: state.bot.id,
      guild_id: state.guildId,
      guild: { id: state.guildId, locale: Locale.EnglishUS, features: [] },
      channel_id: channelId,
      channel: { ...(thread ?? state.channels.get(channelId)), permissions },
      member: { ...state.members.get(userId), permissions },
      ...(message && { message }),
      version: 1,
      locale: Locale.EnglishUS,
      guild_locale: Locale.EnglishUS,
      app_permissions: String(PermissionFlagsBits.Administrator),
      entitlements: [],
      authorizing_integration_owners: { 0: state.guildId },
      context: InteractionContextType.Guild,
      attachment_size_limit: 10_485_760,
    });
    return interaction;
  }

  /** What an interaction came to, after 3 s at the latest where it is not acknowledged. */
  async function outcomeOf(interaction: Interaction): Promise<Outcome> {
    const hasFailed = () => interaction.callback === null && Date.now() - interaction.at > 3_000;
    await until(() => interaction.isDone || hasFailed(), 20_000);
    return { ...interaction, text: interaction.said.at(-1)?.content ?? '', hasFailed: hasFailed() };
  }

  const act = (userId: string, fields: Fields, data: object) => outcomeOf(begin(userId, fields, data));

  function person(username: string, roleIds: string[] = []) {
    const { id } = state.addMember(username, roleIds);

    function mustSee(message: Message) {
      const thread = state.threads.get(message.channel_id);
      const isManager = (state.permissionsOf(id) & PermissionFlagsBits.ManageThreads) !== 0n;
      if (thread && !thread.members.has(id) && !isManager) throw new Error(`${username} is not in this thread`);
    }

    /** The command, and its options as Discord's own form takes them. */
    function commandData(name: string, given: Record<string, string | number | boolean>, focused?: string) {
      const command = state.commands.find((known) => known.name === name);
      if (!command) throw new Error(`There is no command /${name}`);
      const needed = BigInt(command.default_member_permissions ?? 0);
      const has = state.permissionsOf(id);
      if ((has & PermissionFlagsBits.Administrator) === 0n && (has & needed) !== needed) {
        throw new Error(`${username} does not see /${name}`);
      }
      const known = command.options ?? [];
      for (const option of known) {
        if (option.required && given[option.name] === undefined) throw new Error(`/${name} needs ${option.name}`);
      }
      const options = Object.entries(given).map(([optionName, value]) => {
        const option = known.find((one) => one.name === optionName);
        if (!option) throw new Error(`/${name} has no option ${optionName}`);
        return { name: optionName, type: option.type, value, ...(optionName === focused && { focused: true }) };
      });
      const chosen = (type: ApplicationCommandOptionType) =>
        options.filter((option) => option.type === type).map(({ value }) => String(value));
      const roles = chosen(ApplicationCommandOptionType.Role).map((roleId) => [roleId, state.roles.get(roleId)]);
      const channels = chosen(ApplicationCommandOptionType.Channel).map((channelId) => [
        channelId,
        { ...state.channels.get(channelId), permissions: '0' },
      ]);
      const resolved = { roles: Object.fromEntries(roles), channels: Object.fromEntries(channels) };
      return { id: command.id, name, type: ApplicationCommandType.ChatInput, options, resolved };
    }

    const component = (message: Message, data: object) =>
      act(id, { type: InteractionType.MessageComponent, channelId: message.channel_id, message }, data);

    return {
      id,
      username,
      /** Uses a slash command in a channel. */
      command(channelId: string, name: string, options: Record<string, string | number | boolean> = {}) {
        const fields = { type: InteractionType.ApplicationCommand, channelId, message: null };
        return act(id, fields, commandData(name, options));
      },
      /** Types into an option of a slash command that suggests. */
      type(channelId: string, name: string, option: string, text: string) {
        const fields = { type: InteractionType.ApplicationCommandAutocomplete, channelId, message: null };
        return act(id, fields, commandData(name, { [option]: text }, option));
      },
      /** Presses the button of a message that is labelled so. */
      press(message: Message, label: string) {
        mustSee(message);
        const button = componentsOf(message).find((one) => 'label' in one && one.label === label);
        if (!button) throw new Error(`There is no button "${label}" to press`);
        return component(message, { custom_id: button.custom_id, component_type: ComponentType.Button, id: 1 });
      },
      /** Chooses a member in the select of a message. */
      choose(message: Message, userId: string) {
        const select = componentsOf(message).find(({ type }) => type === ComponentType.UserSelect);
        if (!select) throw new Error('There is nothing to choose');
        const { user, ...member } = state.members.get(userId) ?? {};
        return component(message, {
          custom_id: select.custom_id,
          component_type: ComponentType.UserSelect,
          values: [userId],
          resolved: { users: { [userId]: user }, members: { [userId]: { ...member, permissions: '0' } } },
        });
      },
      /** Fills in the form that was shown, and sends it. */
      submit({ modal, message, channelId }: Outcome, texts: Record<string, string>) {
        if (!modal) throw new Error('No form was shown');
        const components = modal.components.map(({ component: input }, index) => {
          const value = texts[input.custom_id] ?? '';
          const { min_length = 0, max_length = 4000, required = true } = input;
          const tooShort = value.length < Math.max(min_length, required ? 1 : 0);
          if (tooShort || value.length > max_length) throw new Error(`The form does not take "${value}"`);
          const field = { type: ComponentType.TextInput, id: 2 * index + 2, custom_id: input.custom_id, value };
          return { type: ComponentType.Label, id: 2 * index + 1, component: field };
        });
        return act(
          id,
          { type: InteractionType.ModalSubmit, channelId, message },
          { custom_id: modal.custom_id, components },
        );
      },
      isIn: (threadId: string) => state.threads.get(threadId)?.members.has(id) ?? false,
    };
  }

  return {
    person,
    /** What was said for everybody in a channel or thread, oldest first. */
    messagesIn: (channelId: string) =>
      state.messages.filter((one) => one.channel_id === channelId && !((one.flags ?? 0) & MessageFlags.Ephemeral)),
    /** The labels of the buttons of a message. */
    buttonsOf: (message: Message | undefined) =>
      message ? componentsOf(message).flatMap((one) => ('label' in one ? [one.label] : [])) : [],
    /** The private threads of a channel. */
    threadsOf: (parentId: string) =>
      [...state.threads.values()]
        .map(({ channel }) => channel)
        .filter(({ parent_id, type }) => parent_id === parentId && type === ChannelType.PrivateThread),
  };
}
