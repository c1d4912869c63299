import { type Eligibility, interactionUuid, type Ticket } from '@counterfoil/client';
import { type ButtonInteraction, type Guild, MessageFlags, type ModalSubmitInteraction } from 'discord.js';
import { counterfoil } from './counterfoil.ts';
import { form } from './messages.ts';
import { Refusal, time } from './problems.ts';
import { ensureThread } from './threads.ts';

/** Discord waits 3 s for a form. */
const soon = () => ({ signal: AbortSignal.timeout(2000) });

/** A button of the panel was pressed: shows the form, or says why not. */
export async function open(interaction: ButtonInteraction<'cached'>, ticketType: string): Promise<void> {
  const { guildId, user } = interaction;
  const [eligibility, { tickets }] = await Promise.all([
    counterfoil.tickets.eligibility.query({ guildId, ticketType, discordId: user.id }, soon()),
    counterfoil.tickets.list.query({ guildId, ticketType, ticketOwner: user.id, status: 'open' }, soon()),
  ]);
  // The bot was ended before this ticket had its thread: the member need not write it again.
  const unfinished = tickets.find(({ channelId }) => channelId === null);
  if (unfinished) {
    await interaction.deferReply({ flags: MessageFlags.Ephemeral });
    await interaction.editReply(await showTheWay(interaction.guild, unfinished));
    return;
  }
  if (!eligibility.eligible || !eligibility.channelId) throw new Refusal(whyNot(eligibility, tickets));
  await interaction.showModal(form(interaction.id, ticketType, interaction.component.label ?? ticketType));
}

/** The form was sent: makes the ticket and its thread. */
export async function create(interaction: ModalSubmitInteraction<'cached'>, argument: string): Promise<void> {
  const [pressId = ''] = argument.split(':', 1);
  const ticketType = argument.slice(pressId.length + 1);
  await interaction.deferReply({ flags: MessageFlags.Ephemeral });
  const { ticket } = await counterfoil.tickets.create.mutate({
    ticketId: interactionUuid(pressId, 'ticket'),
    guildId: interaction.guildId,
    ticketType,
    ticketOwner: interaction.user.id,
    ticketData: {
      subject: interaction.fields.getTextInputValue('subject'),
      description: interaction.fields.getTextInputValue('description'),
    },
  });
  await interaction.editReply(await showTheWay(interaction.guild, ticket));
}

async function showTheWay(guild: Guild, ticket: Ticket) {
  return `Your ticket is here: <#${await ensureThread(guild, ticket)}>`;
}

function whyNot({ channelId, reasons, limit, cooldownEndsAt }: Eligibility, tickets: Ticket[]): string {
  if (!channelId) return 'This kind of ticket is no longer offered here.';
  if (reasons.includes('owner_blocked')) return 'You may not open tickets of this kind at the moment.';
  if (reasons.includes('owner_limit_reached')) {
    const places = tickets.slice(0, 10).map(({ channelId }) => `<#${channelId}>`);
    return `You may have ${limit} open at a time. Please go on here: ${places.join(' ')}`;
  }
  return `You can open the next ticket of this kind at ${time(cooldownEndsAt ?? new Date().toISOString())}.`;
}
