import {
  type ButtonInteraction,
  type ChatInputCommandInteraction,
  Client,
  Events,
  GatewayIntentBits,
  type Guild,
  type Interaction,
  type ModalSubmitInteraction,
  type UserSelectMenuInteraction,
} from 'discord.js';
import { closeByCommand, commands, postPanel, setTicketType, suggestTickets } from './commands.ts';
import { required } from './counterfoil.ts';
import { askReason, chooseClaimer, claim, close, rate, reopen, transfer } from './handling.ts';
import { create, open } from './opening.ts';
import { explain } from './problems.ts';
import { mendThreads } from './threads.ts';

type Handler<Kind> = ((interaction: Kind, argument: string) => Promise<void>) | undefined;

// What is done by which command, and by which action of a custom id.
const byCommand: Record<string, Handler<ChatInputCommandInteraction<'cached'>>> = {
  'ticket-type': setTicketType,
  'ticket-panel': postPanel,
  'ticket-close': closeByCommand,
};
const byButton: Record<string, Handler<ButtonInteraction<'cached'>>> = {
  open,
  claim,
  transfer: chooseClaimer,
  close: askReason,
  reopen,
  rate,
};
const byForm: Record<string, Handler<ModalSubmitInteraction<'cached'>>> = { create, close };
const bySelect: Record<string, Handler<UserSelectMenuInteraction<'cached'>>> = { transfer };

async function handle(interaction: Interaction<'cached'>): Promise<void> {
  if (interaction.isAutocomplete()) return suggestTickets(interaction);
  if (interaction.isChatInputCommand()) return byCommand[interaction.commandName]?.(interaction, '');
  if (!interaction.isMessageComponent() && !interaction.isModalSubmit()) return;
  const [action = ''] = interaction.customId.split(':', 1);
  const argument = interaction.customId.slice(action.length + 1);
  if (interaction.isButton()) return byButton[action]?.(interaction, argument);
  if (interaction.isModalSubmit()) return byForm[action]?.(interaction, argument);
  if (interaction.isUserSelectMenu()) return bySelect[action]?.(interaction, argument);
}

async function answer(interaction: Interaction): Promise<void> {
  if (!interaction.inCachedGuild()) return;
  try {
    await handle(interaction);
  } catch (error) {
    if (interaction.isRepliable()) await explain(interaction, error);
    else console.error(error);
  }
}

const mend = (guild: Guild) => mendThreads(guild).catch((error) => console.error(`Server ${guild.id}:`, error));

const { DISCORD_API } = process.env;
const bot = new Client({
  intents: [GatewayIntentBits.Guilds],
  // What people write mentions nobody, unless a message says whom.
  allowedMentions: { parse: [] },
  // Another address than Discord's own: for tests.
  ...(DISCORD_API && { rest: { api: DISCORD_API } }),
});

bot.on(Events.InteractionCreate, (interaction) => answer(interaction).catch(console.error));
bot.on(Events.Error, console.error);
bot.once(Events.ClientReady, async ({ application, guilds, user }) => {
  try {
    await application.commands.set(commands);
  } catch (error) {
    console.error('Discord did not take the commands:', error);
    process.exit(1);
  }
  await Promise.all(guilds.cache.map(mend));
  console.log(`${user.tag} is ready.`);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => bot.destroy());

await bot.login(required('DISCORD_TOKEN'));
