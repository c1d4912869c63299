import { interactionUuid } from '@counterfoil/client';
import {
  type ButtonInteraction,
  DiscordAPIError,
  MessageFlags,
  type ModalSubmitInteraction,
  RESTJSONErrorCodes,
  type UserSelectMenuInteraction,
} from 'discord.js';
import { counterfoil } from './counterfoil.ts';
import { closeForm, transferChoice } from './messages.ts';
import { Refusal } from './problems.ts';
import { forOwnerOrStaff, forStaff, isStaff, ticketOf } from './staff.ts';
import { announce } from './threads.ts';

// Each of these is acknowledged first, because Discord waits 3 s, and shows the new state before it takes the old
// buttons away: wherever the bot is ended, there are buttons to go on with. The commandId follows from the
// interaction, so that one that is delivered twice is carried out once.

/** Takes the old buttons away, where their message is still there. */
async function takeButtonsAway(interaction: ButtonInteraction<'cached'>): Promise<void> {
  await interaction.editReply({ components: [] }).catch((error) => {
    if (!(error instanceof DiscordAPIError && error.code === RESTJSONErrorCodes.UnknownMessage)) throw error;
  });
}

/** Somebody takes care of the ticket; of several at once, one. */
export async function claim(interaction: ButtonInteraction<'cached'>, shortId: string): Promise<void> {
  await interaction.deferUpdate();
  await forStaff(interaction.member, await ticketOf(interaction, shortId));
  const { ticket } = await counterfoil.tickets.claim.mutate({
    shortId,
    discordId: interaction.user.id,
    commandId: interactionUuid(interaction.id),
  });
  await announce(interaction.guild, ticket, `<@${interaction.user.id}> takes care of this ticket.`, [
    interaction.user.id,
  ]);
  await takeButtonsAway(interaction);
}

/** Asks who is to take over. */
export async function chooseClaimer(interaction: ButtonInteraction<'cached'>, shortId: string): Promise<void> {
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  await forStaff(interaction.member, await ticketOf(interaction, shortId));
  await interaction.editReply({ components: transferChoice(shortId) });
}

/** Hands the ticket to the chosen member of the staff. */
export async function transfer(interaction: UserSelectMenuInteraction<'cached'>, shortId: string): Promise<void> {
  await interaction.deferUpdate();
  const before = await ticketOf(interaction, shortId);
  await forStaff(interaction.member, before);
  const colleague = interaction.members.first();
  if (!colleague || colleague.user.bot || !(await isStaff(colleague, before))) {
    throw new Refusal('They do not handle this kind of ticket: choose somebody of its staff.');
  }
  const { ticket } = await counterfoil.tickets.transfer.mutate({
    shortId,
    discordId: colleague.id,
    actorId: interaction.user.id,
    commandId: interactionUuid(interaction.id),
  });
  await announce(interaction.guild, ticket, `<@${interaction.user.id}> handed this ticket to <@${colleague.id}>.`, [
    colleague.id,
  ]);
  await interaction.editReply({ content: 'Done.', components: [] });
}

/** Asks why the ticket is to be closed. */
export async function askReason(interaction: ButtonInteraction<'cached'>, shortId: string): Promise<void> {
  await interaction.showModal(closeForm(shortId));
}

/** Closes the ticket; its owner may do so too. */
export async function close(interaction: ModalSubmitInteraction<'cached'>, shortId: string): Promise<void> {
  const pressed = interaction.isFromMessage();
  await (pressed ? interaction.deferUpdate() : interaction.deferReply({ flags: MessageFlags.Ephemeral }));
  await forOwnerOrStaff(interaction.member, await ticketOf(interaction, shortId));
  const { ticket } = await counterfoil.tickets.close.mutate({
    shortId,
    closedBy: interaction.user.id,
    reason: interaction.fields.getTextInputValue('reason').trim() || undefined,
    commandId: interactionUuid(interaction.id),
  });
  const { closedBy, closeReason } = ticket;
  const line = `<@${closedBy}> closed this ticket.${closeReason ? `\n>>> ${closeReason}` : ''}`;
  await announce(interaction.guild, ticket, line, []);
  await interaction.editReply(pressed ? { components: [] } : { content: `Ticket ${ticket.ticketName} is closed.` });
}

/** Opens the ticket again; its owner may do so too. */
export async function reopen(interaction: ButtonInteraction<'cached'>, shortId: string): Promise<void> {
  await interaction.deferUpdate();
  await forOwnerOrStaff(interaction.member, await ticketOf(interaction, shortId));
  const { ticket } = await counterfoil.tickets.reopen.mutate({
    shortId,
    actorId: interaction.user.id,
    commandId: interactionUuid(interaction.id),
  });
  await announce(interaction.guild, ticket, `<@${interaction.user.id}> opened this ticket again.`, []);
  await takeButtonsAway(interaction);
}

/** The owner says how it was; Counterfoil refuses everybody else. */
export async function rate(interaction: ButtonInteraction<'cached'>, argument: string): Promise<void> {
  await interaction.deferUpdate();
  const rating = Number(argument[0]);
  const { ticket } = await counterfoil.tickets.rate.mutate({
    shortId: argument.slice(2),
    discordId: interaction.user.id,
    rating,
    commandId: interactionUuid(interaction.id),
  });
  await announce(interaction.guild, ticket, `<@${interaction.user.id}> rates this ticket ${'★'.repeat(rating)}`, []);
  await takeButtonsAway(interaction);
}
