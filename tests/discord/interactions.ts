import { InteractionResponseType, InteractionType, RESTJSONErrorCodes } from 'discord-api-types/v10';
import type { z } from 'zod';
import { type Callback, type MessageEdit, type Modal, NewMessage } from './payloads.ts';
import { type Message, newId, type State } from './state.ts';

/** An error as Discord answers it. */
export class DiscordError extends Error {
  readonly status: number;
  readonly code: number;

  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Milliseconds in which an interaction must be answered, and in which its token can be used. */
const answerWithin = 3_000;
const tokenLasts = 15 * 60_000;

/** What somebody did, and what came of it. */
export interface Interaction {
  id: string;
  token: string;
  type: InteractionType;
  userId: string;
  channelId: string;
  /** The message whose button was pressed. */
  message: Message | null;
  at: number;
  callback: Callback['type'] | null;
  /** The form that is shown, the choices that are suggested, and the messages that are said to whoever did it. */
  modal: Modal | null;
  choices: { name: string; value: string }[];
  original: Message | null;
  said: Message[];
  /** Whether it has come to something: a message, a form, choices or a changed message. */
  isDone: boolean;
}

/** The interactions and their answers, by Discord's rules. */
export function createInteractions(state: State) {
  const interactions = new Map<string, Interaction>();

  function byToken(token: string): Interaction {
    const interaction = interactions.get(token);
    if (!interaction?.callback) throw new DiscordError(404, RESTJSONErrorCodes.UnknownWebhook, 'Unknown Webhook');
    if (Date.now() - interaction.at > tokenLasts) {
      throw new DiscordError(401, RESTJSONErrorCodes.InvalidWebhookToken, 'Invalid Webhook Token');
    }
    return interaction;
  }

  function forbid(reason: string): never {
    throw new DiscordError(400, RESTJSONErrorCodes.InvalidFormBodyOrContentType, reason);
  }

  /** Whether an interaction can be answered so. */
  function check({ type, message }: Interaction, callback: Callback) {
    const suggests = callback.type === InteractionResponseType.ApplicationCommandAutocompleteResult;
    if (suggests !== (type === InteractionType.ApplicationCommandAutocomplete)) forbid('Not the answer to such a one');
    if (callback.type === InteractionResponseType.Modal && type === InteractionType.ModalSubmit) forbid('A form again');
    const updates =
      callback.type === InteractionResponseType.DeferredMessageUpdate ||
      callback.type === InteractionResponseType.UpdateMessage;
    if (updates && !message) forbid('There is no message to update');
  }

  function edit(message: Message, { components, embeds, content }: z.output<typeof MessageEdit>) {
    Object.assign(message, {
      ...(content !== undefined && { content }),
      ...(embeds && { embeds }),
      ...(components && { components }),
      edited_timestamp: new Date().toISOString(),
    });
  }

  return {
    begin(fields: Pick<Interaction, 'type' | 'userId' | 'channelId' | 'message'>): Interaction {
      const id = newId();
      const interaction: Interaction = {
        ...fields,
        id,
        token: `token-${id}`,
        at: Date.now(),
        callback: null,
        modal: null,
        choices: [],
        original: null,
        said: [],
        isDone: false,
      };
      interactions.set(interaction.token, interaction);
      return interaction;
    },

    answer(id: string, token: string, callback: Callback): void {
      const interaction = interactions.get(token);
      if (!interaction || interaction.id !== id || Date.now() - interaction.at > answerWithin) {
        throw new DiscordError(404, RESTJSONErrorCodes.UnknownInteraction, 'Unknown interaction');
      }
      if (interaction.callback) {
        const message = 'Interaction has already been acknowledged.';
        throw new DiscordError(400, RESTJSONErrorCodes.InteractionHasAlreadyBeenAcknowledged, message);
      }
      check(interaction, callback);
      interaction.callback = callback.type;
      switch (callback.type) {
        case InteractionResponseType.ChannelMessageWithSource:
          interaction.original = state.addMessage(interaction.channelId, callback.data);
          interaction.said.push(interaction.original);
          break;
        case InteractionResponseType.DeferredChannelMessageWithSource:
          interaction.original = state.addMessage(interaction.channelId, callback.data ?? {});
          return;
        case InteractionResponseType.DeferredMessageUpdate:
          interaction.original = interaction.message;
          return;
        case InteractionResponseType.UpdateMessage:
          interaction.original = interaction.message;
          if (interaction.message) edit(interaction.message, callback.data);
          break;
        case InteractionResponseType.Modal:
          interaction.modal = callback.data;
          break;
        case InteractionResponseType.ApplicationCommandAutocompleteResult:
          interaction.choices = callback.data.choices;
          break;
      }
      interaction.isDone = true;
    },

    editOriginal(token: string, change: z.output<typeof MessageEdit>): Message {
      const interaction = byToken(token);
      const { original } = interaction;
      if (!original) throw new DiscordError(404, RESTJSONErrorCodes.UnknownMessage, 'Unknown Message');
      const isNew = interaction.callback === InteractionResponseType.DeferredChannelMessageWithSource;
      // The first edit of a deferred answer is its message: it says something.
      if (isNew && !interaction.isDone && NewMessage.safeParse(change).error) forbid('Cannot send an empty message');
      edit(original, change);
      if (original !== interaction.message && !interaction.said.includes(original)) interaction.said.push(original);
      interaction.isDone = true;
      return original;
    },

    followUp(token: string, message: z.output<typeof NewMessage>): Message {
      const interaction = byToken(token);
      const sent = state.addMessage(interaction.channelId, message);
      interaction.said.push(sent);
      interaction.isDone = true;
      return sent;
    },
  };
}

export type Interactions = ReturnType<typeof createInteractions>;
