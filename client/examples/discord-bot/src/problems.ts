import { type CounterfoilErrorType, isCounterfoilError } from '@counterfoil/client';
import { DiscordAPIError, MessageFlags, RESTJSONErrorCodes, type RepliableInteraction } from 'discord.js';
import { clip } from './messages.ts';

/** Something that the bot itself refuses; its message is for the person who asked. */
export class Refusal extends Error {}

const away = 'The ticket service cannot be reached right now. Please try again in a minute.';
const unsure = 'The ticket service did not answer in time. Please try again: nothing is done twice.';
const setup = 'The bot is not set up correctly: an administrator should look at its log.';

/** What people are told, by the type of the error. */
const sentences: Partial<Record<CounterfoilErrorType, string>> = {
  connection_failed: away,
  database_unavailable: away,
  shutting_down: away,
  overloaded: away,
  rate_limited: away,
  timed_out: unsure,
  aborted: unsure,
  outcome_unknown: unsure,
  missing_key: setup,
  invalid_key: setup,
  insufficient_scope: setup,
  guild_not_allowed: setup,
  cooldown: 'You have opened a ticket of this kind a short while ago. Please wait a little before the next one.',
  not_the_owner: 'Only the member who opened this ticket can do that.',
  ticket_not_found: 'This ticket does not exist.',
  ticket_not_claimed: 'Nobody takes care of this ticket yet. Claim it first.',
  ticket_channel_not_found: 'This kind of ticket is no longer offered here.',
  ticket_closed: 'This ticket is closed already.',
  ticket_not_closed: 'This ticket is open again: it can be rated once it is closed.',
  ticket_id_taken: 'This form was sent before. Press the button again to see your ticket.',
  name_taken: 'Another open ticket has the same name by now. Close that one first.',
};

/** What the operator should hear of too. */
const troubles = new Set([away, unsure, setup]);

/** Some permission that the bot needs is missing, or the channel is out of its sight. */
const lacking = new Set<string | number>([RESTJSONErrorCodes.MissingAccess, RESTJSONErrorCodes.MissingPermissions]);

/** Discord takes no answer any more: it came after 3 s, or the interaction was delivered twice. */
const unanswerable = new Set<string | number>([
  RESTJSONErrorCodes.UnknownInteraction,
  RESTJSONErrorCodes.InteractionHasAlreadyBeenAcknowledged,
]);

/** An error in plain words, and whether it is one that the operator should hear of. */
function inPlainWords(error: unknown): { sentence: string; expected: boolean } {
  if (error instanceof Refusal) return { sentence: error.message, expected: true };
  if (isCounterfoilError(error, 'ticket_already_claimed')) {
    return { sentence: `<@${error.details.claimedBy}> was faster: this ticket is claimed.`, expected: true };
  }
  if (isCounterfoilError(error, 'owner_limit_reached')) {
    const { open, limit } = error.details;
    return { sentence: `No more than ${limit} at a time: the member has ${open} open already.`, expected: true };
  }
  if (isCounterfoilError(error, 'owner_blocked')) {
    const { reason, expiresAt } = error.details;
    const until = expiresAt ? ` until ${time(expiresAt)}` : '';
    return { sentence: `You may not open tickets here${until}.${reason ? ` Reason: ${reason}` : ''}`, expected: true };
  }
  if (isCounterfoilError(error, 'validation_failed')) {
    if (error.issues?.some(({ path, message }) => path === 'reason' && message.startsWith('Required'))) {
      return { sentence: 'Tickets of this kind are closed with a reason. Please give one.', expected: true };
    }
    const issues = error.issues?.map(({ path, message }) => `${path}: ${message}.`) ?? [];
    return { sentence: `That cannot be taken. ${issues.join(' ')}`, expected: true };
  }
  if (isCounterfoilError(error)) {
    const sentence = sentences[error.type];
    if (sentence) return { sentence, expected: !troubles.has(sentence) };
    return { sentence: `Something went wrong (request ${error.requestId}).`, expected: false };
  }
  if (error instanceof DiscordAPIError && lacking.has(error.code)) {
    return { sentence: 'The bot lacks a permission in the channel of these tickets.', expected: false };
  }
  return { sentence: 'Something went wrong. It is in the log of the bot.', expected: false };
}

/** A point in time as Discord shows it, in everybody's own time zone. */
export function time(iso: string): string {
  return `<t:${Math.floor(Date.parse(iso) / 1000)}:f>`;
}

/** Tells the person who asked, and nobody else, why it did not work. */
export async function explain(interaction: RepliableInteraction, error: unknown): Promise<void> {
  const { sentence, expected } = inPlainWords(error);
  if (!expected) console.error(error);
  if (error instanceof DiscordAPIError && unanswerable.has(error.code)) return;
  const content = clip(sentence, 2000);
  if (interaction.deferred && interaction.ephemeral) await interaction.editReply({ content, components: [] });
  else if (interaction.deferred || interaction.replied) {
    await interaction.followUp({ content, flags: MessageFlags.Ephemeral });
  } else await interaction.reply({ content, flags: MessageFlags.Ephemeral });
}
