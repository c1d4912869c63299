import { parseTicketData, type Ticket, type TicketChannel } from '@counterfoil/client';
import {
  ActionRowBuilder,
  type BaseMessageOptions,
  ButtonBuilder,
  ButtonStyle,
  EmbedBuilder,
  LabelBuilder,
  ModalBuilder,
  TextInputBuilder,
  TextInputStyle,
  UserSelectMenuBuilder,
} from 'discord.js';
import { z } from 'zod';

// Everything that the bot shows. What a button is for stands in its custom id, as `action:argument`: so it works
// whichever process of the bot made it.

/** What the form asks for, as it is kept in `ticketData`; tickets that were not opened here have other data, or none. */
const Form = z
  .object({ subject: z.string().trim().min(1), description: z.string().trim().min(1) })
  .catch({ subject: 'A ticket', description: 'It was not opened by the form.' });

/** Discord's limits: buttons in a message, in a row, and characters of a custom id. */
const buttonsAtMost = 25;
const buttonsInRow = 5;
const customIdAtMost = 100;

/** A text within a limit of Discord's. */
export function clip(text: string, maximum: number): string {
  return text.length <= maximum ? text : `${text.slice(0, maximum - 1).toWellFormed()}…`;
}

/** How a ticket is called: with its short id, which nobody else's has. */
export function ticketLabel(ticketName: string, shortId: string): string {
  return `${clip(ticketName, 99 - shortId.length)} ${shortId}`;
}

function button(customId: string, label: string, style = ButtonStyle.Secondary) {
  return new ButtonBuilder().setCustomId(customId).setLabel(clip(label, 80)).setStyle(style);
}

function rows(buttons: ButtonBuilder[]) {
  const count = Math.ceil(buttons.length / buttonsInRow);
  return Array.from({ length: count }, (_, row) =>
    new ActionRowBuilder<ButtonBuilder>().addComponents(buttons.slice(row * buttonsInRow, (row + 1) * buttonsInRow)),
  );
}

/** The ticket types that the panel has room for: the form's custom id holds their name, and a press's id. */
export function onPanel(types: TicketChannel[]): TicketChannel[] {
  const longestPress = '9'.repeat(20);
  const fits = ({ ticketType }: TicketChannel) => formId(longestPress, ticketType).length <= customIdAtMost;
  return types.filter(fits).slice(0, buttonsAtMost);
}

const formId = (pressId: string, ticketType: string) => `create:${pressId}:${ticketType}`;

/** The panel: a button for each ticket type. */
export function panel(types: TicketChannel[]) {
  const buttons = types.map(({ ticketType, displayName }) =>
    button(`open:${ticketType}`, displayName ?? ticketType, ButtonStyle.Primary),
  );
  const embed = new EmbedBuilder().setTitle('Do you need help?').setDescription('Choose what it is about.');
  return { embeds: [embed], components: rows(buttons) };
}

/** The form of a new ticket. `pressId`, the press that showed it, makes sending the same form twice one ticket. */
export function form(pressId: string, ticketType: string, title: string) {
  const subject = new TextInputBuilder().setCustomId('subject').setStyle(TextInputStyle.Short).setMaxLength(100);
  const description = new TextInputBuilder()
    .setCustomId('description')
    .setStyle(TextInputStyle.Paragraph)
    .setMaxLength(2000);
  return new ModalBuilder()
    .setCustomId(formId(pressId, ticketType))
    .setTitle(clip(title, 45))
    .addLabelComponents(
      new LabelBuilder().setLabel('In a few words').setTextInputComponent(subject),
      new LabelBuilder().setLabel('What happened?').setTextInputComponent(description),
    );
}

/** The form that asks why a ticket is closed. */
export function closeForm(shortId: string) {
  const reason = new TextInputBuilder()
    .setCustomId('reason')
    .setStyle(TextInputStyle.Paragraph)
    .setMaxLength(1000)
    .setRequired(false);
  return new ModalBuilder()
    .setCustomId(`close:${shortId}`)
    .setTitle('Close the ticket')
    .addLabelComponents(new LabelBuilder().setLabel('Why?').setTextInputComponent(reason));
}

/** The choice of who takes over. */
export function transferChoice(shortId: string) {
  const select = new UserSelectMenuBuilder().setCustomId(`transfer:${shortId}`).setPlaceholder('Who takes over?');
  return [new ActionRowBuilder<UserSelectMenuBuilder>().addComponents(select)];
}

/** The buttons for what can happen next to a ticket. */
export function controls({ ticketShortId: shortId, closed, claimed }: Ticket) {
  if (!closed) {
    const claim = button(`claim:${shortId}`, 'Claim', ButtonStyle.Primary);
    const transfer = button(`transfer:${shortId}`, 'Transfer');
    return rows([claimed ? transfer : claim, button(`close:${shortId}`, 'Close', ButtonStyle.Danger)]);
  }
  const ratings = [1, 2, 3, 4, 5].map((stars) => button(`rate:${stars}:${shortId}`, '★'.repeat(stars)));
  return [...rows(ratings), ...rows([button(`reopen:${shortId}`, 'Reopen')])];
}

/** The first message of a ticket's thread. Its mentions let the owner and the staff into the private thread. */
export function opening(ticket: Ticket, staffRoleIds: string[]): BaseMessageOptions {
  const { subject, description } = parseTicketData(ticket, Form);
  const roles = staffRoleIds.slice(0, 25);
  const mentions = [`<@${ticket.ticketOwner}>`, ...roles.map((role) => `<@&${role}>`)];
  const embed = new EmbedBuilder().setTitle(clip(subject, 256)).setDescription(clip(description, 4096));
  return {
    content: mentions.join(' '),
    embeds: [embed],
    components: controls(ticket),
    allowedMentions: { users: [ticket.ticketOwner], roles },
  };
}
