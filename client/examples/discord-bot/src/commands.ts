import { isCounterfoilError } from '@counterfoil/client';
import {
  type AutocompleteInteraction,
  ChannelType,
  type ChatInputCommandInteraction,
  InteractionContextType,
  MessageFlags,
  PermissionFlagsBits,
  SlashCommandBuilder,
} from 'discord.js';
import { counterfoil } from './counterfoil.ts';
import { clip, closeForm, onPanel, panel, ticketLabel } from './messages.ts';
import { Refusal } from './problems.ts';
import { isStaffOf } from './staff.ts';

/** The roles of the staff, as options of `/ticket-type`. */
const roleOptions = ['staff', 'staff2', 'staff3'];

/** The commands, as Discord is told them: the first two are for who manages the server. */
export const commands = [
  new SlashCommandBuilder()
    .setName('ticket-type')
    .setDescription('Sets up a kind of ticket, or changes it: what is not given stays as it is')
    .setDefaultMemberPermissions(PermissionFlagsBits.ManageGuild)
    .addStringOption((option) =>
      option.setName('type').setDescription('Its short name, such as support').setRequired(true).setMaxLength(64),
    )
    .addChannelOption((option) =>
      option
        .setName('channel')
        .setDescription('Where its threads are made')
        .addChannelTypes(ChannelType.GuildText)
        .setRequired(true),
    )
    .addStringOption((option) => option.setName('label').setDescription('What its button says').setMaxLength(80))
    .addIntegerOption((option) =>
      option.setName('max-open').setDescription('Open tickets that a member may have').setMinValue(1).setMaxValue(1000),
    )
    .addIntegerOption((option) =>
      option
        .setName('cooldown')
        .setDescription("Seconds between a member's tickets")
        .setMinValue(1)
        .setMaxValue(31_536_000),
    )
    .addBooleanOption((option) => option.setName('reason').setDescription('Whether closing needs a reason'))
    .addRoleOption((option) => option.setName('staff').setDescription('The role of who handles these tickets'))
    .addRoleOption((option) => option.setName('staff2').setDescription('Another such role'))
    .addRoleOption((option) => option.setName('staff3').setDescription('Another such role')),
  new SlashCommandBuilder()
    .setName('ticket-panel')
    .setDescription('Posts the message with a button for each kind of ticket')
    .setDefaultMemberPermissions(PermissionFlagsBits.ManageGuild),
  new SlashCommandBuilder()
    .setName('ticket-close')
    .setDescription('Closes a ticket, also one whose thread was deleted')
    .addStringOption((option) =>
      option
        .setName('ticket')
        .setDescription('The ticket: choose it, or type the id after its name')
        .setRequired(true)
        .setMaxLength(64)
        .setAutocomplete(true),
    ),
].map((command) => command.setContexts(InteractionContextType.Guild).toJSON());

type Command = ChatInputCommandInteraction<'cached'>;

/** `/ticket-type`: assigns the channel of a ticket type and its settings. */
export async function setTicketType(interaction: Command): Promise<void> {
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  const { guildId, options } = interaction;
  const place = {
    guildId,
    ticketType: options.getString('type', true),
    channelId: options.getChannel('channel', true).id,
  };
  const roles = roleOptions.flatMap((name) => options.getRole(name)?.id ?? []);
  // The role that everybody has, which bears the id of the server.
  if (roles.includes(guildId)) throw new Refusal('Everybody cannot be the staff: choose a role that only they have.');
  await counterfoil.channels.create.mutate(place).catch((error) => {
    // The type is there and has another channel: the update moves it.
    if (!isCounterfoilError(error, 'ticket_channel_exists')) throw error;
  });
  const { channel } = await counterfoil.channels.update.mutate({
    ...place,
    displayName: options.getString('label') ?? undefined,
    maxOpenPerOwner: options.getInteger('max-open') ?? undefined,
    cooldownSeconds: options.getInteger('cooldown') ?? undefined,
    requireCloseReason: options.getBoolean('reason') ?? undefined,
    staffRoleIds: roles.length > 0 ? [...new Set(roles)] : undefined,
  });
  const staff = channel.staffRoleIds?.map((role) => `<@&${role}>`).join(' ') ?? 'whoever manages the server';
  const name = channel.displayName ?? channel.ticketType;
  await interaction.editReply(clip(`Tickets of the kind "${name}" go to <#${channel.channelId}>, for ${staff}.`, 2000));
}

/** `/ticket-panel`: posts the panel in this channel. */
export async function postPanel(interaction: Command): Promise<void> {
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  const { channels } = await counterfoil.channels.list.query({ guildId: interaction.guildId });
  if (channels.length === 0) throw new Refusal('There are no ticket types yet. Set one up with /ticket-type first.');
  if (!interaction.channel?.isSendable()) throw new Refusal('The bot cannot write in this channel.');
  const shown = onPanel(channels);
  if (shown.length === 0) throw new Refusal('The names of the ticket types are too long for a button.');
  await interaction.channel.send(panel(shown));
  const leftOut = channels.filter((type) => !shown.includes(type)).map(({ ticketType }) => `"${ticketType}"`);
  const without = leftOut.length > 0 ? ` There is no room on it for ${leftOut.join(', ')}.` : '';
  await interaction.editReply(
    clip(`The panel is here. Post it again when you have changed the ticket types.${without}`, 2000),
  );
}

/** `/ticket-close`: asks why. Whether they may is checked when they have answered. */
export async function closeByCommand(interaction: Command): Promise<void> {
  await interaction.showModal(closeForm(interaction.options.getString('ticket', true)));
}

/** Suggests open tickets that the person may close. */
export async function suggestTickets(interaction: AutocompleteInteraction<'cached'>): Promise<void> {
  const { guildId, member, options } = interaction;
  const soon = { signal: AbortSignal.timeout(2000) };
  const [{ tickets }, { channels }] = await Promise.all([
    counterfoil.tickets.list.query({ guildId, status: 'open', limit: 100 }, soon),
    counterfoil.channels.list.query({ guildId }, soon),
  ]);
  const handled = new Set(channels.filter((type) => isStaffOf(member, type)).map(({ ticketType }) => ticketType));
  // Who manages the server handles the tickets of types that are gone too.
  const managesAll = isStaffOf(member, { staffRoleIds: null });
  const words = options.getFocused().toLowerCase();
  const choices = tickets
    .filter(({ ticketType, ticketOwner }) => managesAll || handled.has(ticketType) || ticketOwner === member.id)
    .map(({ ticketName, ticketShortId }) => ({ name: ticketLabel(ticketName, ticketShortId), value: ticketShortId }))
    .filter(({ name }) => name.toLowerCase().includes(words))
    .slice(0, 25);
  await interaction.respond(choices);
}
