import {
  AllowedMentionsTypes,
  ApplicationCommandOptionType,
  ApplicationCommandType,
  ApplicationIntegrationType,
  ButtonStyle,
  ChannelType,
  ComponentType,
  InteractionContextType,
  InteractionResponseType,
  MessageFlags,
  type RESTPatchAPIChannelJSONBody,
  type RESTPatchAPIWebhookWithTokenMessageJSONBody,
  type RESTPostAPIChannelMessageJSONBody,
  type RESTPostAPIChannelThreadsJSONBody,
  type RESTPostAPIInteractionCallbackJSONBody,
  type RESTPutAPIApplicationCommandsJSONBody,
  TextInputStyle,
  ThreadAutoArchiveDuration,
} from 'discord-api-types/v10';
import { z } from 'zod';

// What a bot sends, as Discord documents it, with its limits; a field that is not named here is refused. Each schema is
// bound to the type that discord-api-types gives the payload.

const text = (maximum: number, minimum = 1) =>
  z.string().refine((value) => [...value].length >= minimum && [...value].length <= maximum, {
    error: `Must be between ${minimum} and ${maximum} in length.`,
  });
const Snowflake = z.string().regex(/^\d{17,20}$/);
const CustomId = text(100);

const Button = z.strictObject({
  type: z.literal(ComponentType.Button),
  style: z.union([
    z.literal(ButtonStyle.Primary),
    z.literal(ButtonStyle.Secondary),
    z.literal(ButtonStyle.Success),
    z.literal(ButtonStyle.Danger),
  ]),
  label: text(80),
  custom_id: CustomId,
  disabled: z.boolean().exactOptional(),
});

const UserSelect = z.strictObject({
  type: z.literal(ComponentType.UserSelect),
  custom_id: CustomId,
  placeholder: text(150).exactOptional(),
  min_values: z.int().min(0).max(25).exactOptional(),
  max_values: z.int().min(1).max(25).exactOptional(),
  disabled: z.boolean().exactOptional(),
});

const Row = z.strictObject({
  type: z.literal(ComponentType.ActionRow),
  components: z.union([z.array(Button).min(1).max(5), z.array(UserSelect).length(1)]),
});

export const Rows = z
  .array(Row)
  .max(5)
  .refine(
    (rows) => {
      const ids = rows.flatMap(({ components }) => components.map(({ custom_id }) => custom_id));
      return new Set(ids).size === ids.length;
    },
    { error: 'Component custom id cannot be duplicated' },
  );

export type Component = z.output<typeof Button> | z.output<typeof UserSelect>;

const Embed = z.strictObject({
  title: text(256).exactOptional(),
  description: text(4096).exactOptional(),
  color: z.int().min(0).max(0xffffff).exactOptional(),
});

const Embeds = z
  .array(Embed)
  .max(10)
  .refine(
    (embeds) =>
      embeds.reduce((sum, { title = '', description = '' }) => sum + title.length + description.length, 0) <= 6000,
    { error: 'Embed size exceeds maximum size of 6000' },
  );

const AllowedMentions = z
  .strictObject({
    parse: z.array(z.enum(AllowedMentionsTypes)).exactOptional(),
    users: z.array(Snowflake).max(100).exactOptional(),
    roles: z.array(Snowflake).max(100).exactOptional(),
    replied_user: z.boolean().exactOptional(),
  })
  .refine(
    ({ parse = [], users, roles }) =>
      !(parse.includes(AllowedMentionsTypes.User) && users) && !(parse.includes(AllowedMentionsTypes.Role) && roles),
    { error: 'Parse and a list exclude each other' },
  );

const messageFields = {
  content: text(2000, 0).exactOptional(),
  embeds: Embeds.exactOptional(),
  components: Rows.exactOptional(),
  allowed_mentions: AllowedMentions.exactOptional(),
  flags: z.literal(MessageFlags.Ephemeral).exactOptional(),
  // discord.js sends these with every message.
  tts: z.literal(false).exactOptional(),
  enforce_nonce: z.literal(false).exactOptional(),
};
const says = ({
  content,
  embeds,
  components,
}: {
  content?: string;
  embeds?: unknown[] | undefined;
  components?: unknown[] | undefined;
}) => Boolean(content || embeds?.length || components?.length);

/** A new message. */
export const NewMessage = z
  .strictObject(messageFields)
  .refine(says, { error: 'Cannot send an empty message' }) satisfies z.ZodType<RESTPostAPIChannelMessageJSONBody>;

/** What changes of a message. */
export const MessageEdit = z.strictObject(
  messageFields,
) satisfies z.ZodType<RESTPatchAPIWebhookWithTokenMessageJSONBody>;

const TextInput = z.strictObject({
  type: z.literal(ComponentType.TextInput),
  custom_id: CustomId,
  style: z.enum(TextInputStyle),
  min_length: z.int().min(0).max(4000).exactOptional(),
  max_length: z.int().min(1).max(4000).exactOptional(),
  required: z.boolean().exactOptional(),
  value: text(4000, 0).exactOptional(),
  placeholder: text(100).exactOptional(),
});
const Label = z.strictObject({
  type: z.literal(ComponentType.Label),
  label: text(45),
  description: text(100).exactOptional(),
  component: TextInput,
});

/** A form. */
const Modal = z.strictObject({ custom_id: CustomId, title: text(45), components: z.array(Label).min(1).max(5) });
export type Modal = z.output<typeof Modal>;

const Choice = z.strictObject({ name: text(100), value: text(100) });

/** The answer to an interaction. */
export const Callback = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal(InteractionResponseType.ChannelMessageWithSource), data: NewMessage }),
  z.strictObject({
    type: z.literal(InteractionResponseType.DeferredChannelMessageWithSource),
    data: z.strictObject({ flags: messageFields.flags }).exactOptional(),
  }),
  z.strictObject({ type: z.literal(InteractionResponseType.DeferredMessageUpdate) }),
  z.strictObject({ type: z.literal(InteractionResponseType.UpdateMessage), data: MessageEdit }),
  z.strictObject({
    type: z.literal(InteractionResponseType.ApplicationCommandAutocompleteResult),
    data: z.strictObject({ choices: z.array(Choice).max(25) }),
  }),
  z.strictObject({ type: z.literal(InteractionResponseType.Modal), data: Modal }),
]) satisfies z.ZodType<RESTPostAPIInteractionCallbackJSONBody>;
export type Callback = z.output<typeof Callback>;

/** A new thread without a message to start from. */
export const NewThread = z.strictObject({
  name: text(100),
  type: z.union([z.literal(ChannelType.PublicThread), z.literal(ChannelType.PrivateThread)]),
  auto_archive_duration: z.enum(ThreadAutoArchiveDuration).exactOptional(),
  invitable: z.boolean().exactOptional(),
}) satisfies z.ZodType<RESTPostAPIChannelThreadsJSONBody>;

/** What changes of a thread. */
export const ThreadEdit = z.strictObject({
  archived: z.boolean().exactOptional(),
}) satisfies z.ZodType<RESTPatchAPIChannelJSONBody>;

const optionFields = {
  name: z.string().regex(/^[-_\p{Ll}\p{N}]{1,32}$/u),
  description: text(100),
  required: z.boolean().exactOptional(),
};
const Option = z.union([
  z.strictObject({
    type: z.literal(ApplicationCommandOptionType.String),
    ...optionFields,
    min_length: z.int().min(0).max(6000).exactOptional(),
    max_length: z.int().min(1).max(6000).exactOptional(),
  }),
  z.strictObject({
    type: z.literal(ApplicationCommandOptionType.String),
    ...optionFields,
    max_length: z.int().min(1).max(6000).exactOptional(),
    autocomplete: z.literal(true),
  }),
  z.strictObject({
    type: z.literal(ApplicationCommandOptionType.Integer),
    ...optionFields,
    min_value: z.int().exactOptional(),
    max_value: z.int().exactOptional(),
  }),
  z.strictObject({ type: z.literal(ApplicationCommandOptionType.Boolean), ...optionFields }),
  z.strictObject({ type: z.literal(ApplicationCommandOptionType.Role), ...optionFields }),
  z.strictObject({
    type: z.literal(ApplicationCommandOptionType.Channel),
    ...optionFields,
    channel_types: z.array(z.literal(ChannelType.GuildText)).exactOptional(),
  }),
]);

/** The commands of an application, all at once. */
export const Commands = z
  .array(
    z.strictObject({
      type: z.literal(ApplicationCommandType.ChatInput).exactOptional(),
      name: optionFields.name,
      description: text(100),
      default_member_permissions: z.string().regex(/^\d+$/).nullable().exactOptional(),
      contexts: z.array(z.enum(InteractionContextType)).exactOptional(),
      integration_types: z.array(z.enum(ApplicationIntegrationType)).exactOptional(),
      options: z
        .array(Option)
        .max(25)
        .refine(
          (options) =>
            options.every(
              ({ required }, index) => !required || options.slice(0, index).every((before) => before.required),
            ),
          {
            error: 'Required options must be placed before non-required options',
          },
        )
        .exactOptional(),
    }),
  )
  .max(100) satisfies z.ZodType<RESTPutAPIApplicationCommandsJSONBody>;
export type Command = z.output<typeof Commands>[number];
