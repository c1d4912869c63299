import { createClient } from '@counterfoil/client';
import { PermissionFlagsBits } from 'discord-api-types/v10';
import { mongo } from 'mongoose';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { startBot } from './discord/bot-process.ts';
import type { Outcome } from './discord/people.ts';
import { type Discord, startDiscord } from './discord/server.ts';
import type { Message } from './discord/state.ts';
import { shortId } from './harness.ts';
import { startServer, until } from './server-process.ts';

const otherGuild = '123456789012345678';
const adminKey = 'discord-bot-test-key-of-the-environment';

let database: mongo.MongoClient;
let server: Awaited<ReturnType<typeof startServer>>;
let discord: Discord;
let bot: Awaited<ReturnType<typeof startBot>>;
let serverEnv: Record<string, string>;
let botEnv: Record<string, string>;
let counterfoil: ReturnType<typeof createClient>;
let panelChannel: string;
let supportChannel: string;
let staffRole: string;
let admin: Person;

type Person = ReturnType<Discord['person']>;

beforeAll(async () => {
  const uri = new URL(inject('mongodbUri'));
  uri.pathname = `/discord-bot-${shortId()}`;
  serverEnv = { MONGODB_URI: uri.href, COUNTERFOIL_KEY: adminKey };
  discord = await startDiscord();
  const { state } = discord;
  panelChannel = state.addChannel('welcome');
  supportChannel = state.addChannel('support');
  staffRole = state.addRole('Support');
  admin = discord.person('admin', [state.addRole('Admin', PermissionFlagsBits.Administrator)]);

  server = await startServer({ env: serverEnv });
  serverEnv.PORT = new URL(server.url).port;
  database = await mongo.MongoClient.connect(uri.href);
  counterfoil = createClient({ url: server.url, key: adminKey });
  // The bot's key can do what the bot must, in its own servers, and no more.
  const guildIds = [state.guildId, otherGuild];
  const { secret } = await counterfoil.keys.create.mutate({ name: 'bot', scope: 'write', guildIds });
  botEnv = { ...discord.env, COUNTERFOIL_URL: server.url, COUNTERFOIL_KEY: secret };
  bot = await startBot(botEnv);
});

afterAll(async () => {
  await bot[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  await discord[Symbol.asyncDispose]();
  await database.db().dropDatabase();
  await database.close();
});

// Nothing was sent that Discord does not know, or refuses, but what a test has provoked.
afterEach(() => {
  expect(discord.refused.splice(0)).toEqual([]);
});

const words = { subject: 'My order', description: 'It has not arrived.' };

/** A ticket type of its own, and the panel with its button. */
async function newType(options: Record<string, string | number | boolean> = {}) {
  const type = `type-${shortId()}`;
  const settings = { type, channel: supportChannel, label: type, staff: staffRole, ...options };
  await admin.command(panelChannel, 'ticket-type', settings);
  await admin.command(panelChannel, 'ticket-panel');
  const panel = lastIn(panelChannel);
  return { type, label: String(settings.label), panel };
}

const lastIn = (channelId: string) => {
  const message = discord.messagesIn(channelId).at(-1);
  if (!message) throw new Error(`nothing was said in ${channelId}`);
  return message;
};

/** The thread that a text leads to. */
const threadIn = ({ text }: Outcome) => /<#(\d+)>/.exec(text)?.[1] ?? `no thread in "${text}"`;

const newStaff = (name: string) => discord.person(name, [staffRole]);

/** Presses a button of the panel, again where a busy machine took longer than a form may. */
async function pressPanel(person: Person, panel: Message, label: string): Promise<Outcome> {
  const outcome = await person.press(panel, label);
  return outcome.text.includes('did not answer in time') ? pressPanel(person, panel, label) : outcome;
}

/** A member's open ticket, by the panel. */
async function openTicket(name: string, options: Record<string, string | number | boolean> = {}) {
  const type = await newType(options);
  const owner = discord.person(name);
  const form = await pressPanel(owner, type.panel, type.label);
  const opened = await owner.submit(form, words);
  const threadId = threadIn(opened);
  return {
    ...type,
    owner,
    form,
    opened,
    threadId,
    shortId: (await stored({ channelId: threadId }))?.shortId as string,
  };
}

/** A ticket as it lies in the database. */
const stored = (filter: object) => database.db().collection('tickets').findOne(filter);

const historyOf = async (id: string) =>
  (await stored({ shortId: id }))?.history.map(({ type }: { type: string }) => type);

describe('the example bot', () => {
  test('sets ticket types up, and posts a panel with a button for each', async () => {
    const before = await newType({ label: 'Refunds', 'max-open': 2, cooldown: 60, reason: true });
    const { channels } = await counterfoil.channels.list.query({ guildId: discord.state.guildId });
    const set = { displayName: 'Refunds', maxOpenPerOwner: 2, cooldownSeconds: 60, requireCloseReason: true };
    expect(channels.find(({ ticketType }) => ticketType === before.type)).toMatchObject({
      ...set,
      channelId: supportChannel,
      staffRoleIds: [staffRole],
    });
    expect(discord.buttonsOf(before.panel)).toContain('Refunds');

    // What is not given stays, and the channel moves.
    const options = { type: before.type, channel: panelChannel, label: 'Money back' };
    const { text } = await admin.command(panelChannel, 'ticket-type', options);
    expect(text).toBe(`Tickets of the kind "Money back" go to <#${panelChannel}>, for <@&${staffRole}>.`);
    const moved = await counterfoil.channels.get.query({ ticketType: before.type, guildId: discord.state.guildId });
    expect(moved).toMatchObject({ ...set, channelId: panelChannel, displayName: 'Money back' });

    expect(() => discord.person('nobody').command(panelChannel, 'ticket-panel')).toThrow('does not see');
  });

  test('opens a ticket from the panel, in a private thread of its owner and the staff', async () => {
    const staff = newStaff('staff');
    const stranger = discord.person('stranger');
    const { form, opened, owner, threadId, type, shortId } = await openTicket('owner', { label: 'Help me' });
    expect(form.modal?.title).toBe('Help me');
    expect(opened.text).toBe(`Your ticket is here: <#${threadId}>`);
    expect(opened.said).toMatchObject([{ flags: 64 }]);

    const ticket = await stored({ shortId });
    expect(ticket).toMatchObject({ ticketType: type, ticketOwner: owner.id, channelId: threadId, closed: false });
    expect(JSON.parse(ticket?.ticketData)).toEqual(words);
    const [thread] = discord.threadsOf(supportChannel).filter(({ id }) => id === threadId);
    expect(thread).toMatchObject({ name: `${type}-${String(ticket?.ticketNumber).padStart(4, '0')} ${shortId}` });
    expect([owner, staff, stranger].map((person) => person.isIn(threadId))).toEqual([true, true, false]);

    const [card, ...more] = discord.messagesIn(threadId);
    expect(more).toEqual([]);
    expect(card).toMatchObject({
      content: `<@${owner.id}> <@&${staffRole}>`,
      embeds: [{ title: words.subject, description: words.description }],
    });
    expect(discord.buttonsOf(card)).toEqual(['Claim', 'Close']);
  });

  test('of two who claim at once one wins, and the other is told who; then transfer, close, reopen and rating', async () => {
    const [ada, bob, plain] = [newStaff('ada'), newStaff('bob'), discord.person('plain')];
    const { owner, threadId, shortId } = await openTicket('owner', { reason: true });
    const card = lastIn(threadId);

    const refused = await owner.press(card, 'Claim');
    expect(refused.text).toBe('Only the staff for this kind of ticket can do that.');

    const claims = await Promise.all([ada.press(card, 'Claim'), bob.press(card, 'Claim')]);
    const claimedBy = (await stored({ shortId }))?.claimedBy;
    const [winner, loser] = claimedBy === ada.id ? [ada, bob] : [bob, ada];
    expect(claims.map(({ text }) => text).sort()).toEqual(['', `<@${winner.id}> was faster: this ticket is claimed.`]);
    expect(claims[winner === ada ? 0 : 1]?.text).toBe('');
    expect(await historyOf(shortId)).toEqual(['create', 'update', 'claim']);
    const claimed = lastIn(threadId);
    expect(claimed.content).toBe(`<@${winner.id}> takes care of this ticket.`);
    expect([card, claimed].map(discord.buttonsOf)).toEqual([[], ['Transfer', 'Close']]);

    const choice = await winner.press(claimed, 'Transfer');
    const [select] = choice.said;
    if (!select) throw new Error('nobody can be chosen');
    const toPlain = await winner.choose(select, plain.id);
    expect(toPlain.text).toBe('They do not handle this kind of ticket: choose somebody of its staff.');
    await winner.choose(select, loser.id);
    expect(select).toMatchObject({ content: 'Done.', components: [] });
    expect(lastIn(threadId).content).toBe(`<@${winner.id}> handed this ticket to <@${loser.id}>.`);
    expect(await stored({ shortId })).toMatchObject({ claimedBy: loser.id });

    const transferred = lastIn(threadId);
    const withoutReason = await loser.submit(await loser.press(transferred, 'Close'), {});
    expect(withoutReason.text).toBe('Tickets of this kind are closed with a reason. Please give one.');
    await loser.submit(await loser.press(transferred, 'Close'), { reason: 'Sent again.' });
    const closed = lastIn(threadId);
    expect(closed.content).toBe(`<@${loser.id}> closed this ticket.\n>>> Sent again.`);
    expect(await stored({ shortId })).toMatchObject({ closed: true, closedBy: loser.id, closeReason: 'Sent again.' });
    expect(discord.buttonsOf(closed)).toEqual(['★', '★★', '★★★', '★★★★', '★★★★★', 'Reopen']);

    await owner.press(closed, 'Reopen');
    const reopened = lastIn(threadId);
    expect(discord.buttonsOf(reopened)).toEqual(['Transfer', 'Close']);
    expect(await stored({ shortId })).toMatchObject({ closed: false, reopenCount: 1, claimedBy: loser.id });
    // A mention by the bot lets somebody into the thread: what members write makes none.
    const stranger = discord.person('stranger');
    await owner.submit(await owner.press(reopened, 'Close'), { reason: `It has come, <@${stranger.id}>.` });
    expect(stranger.isIn(threadId)).toBe(false);

    const again = lastIn(threadId);
    const foreign = await loser.press(again, '★★★');
    expect(foreign.text).toBe('Only the member who opened this ticket can do that.');
    await owner.press(again, '★★★★');
    expect(lastIn(threadId).content).toBe(`<@${owner.id}> rates this ticket ★★★★`);
    expect(await stored({ shortId })).toMatchObject({ closed: true, rating: { rating: 4 } });
    expect(await historyOf(shortId)).toEqual([
      'create',
      'update',
      'claim',
      'transfer',
      'close',
      'reopen',
      'close',
      'rate',
    ]);
  });

  test('says in plain words that the limit is reached, and where the open ticket is', async () => {
    const { owner, panel, label, threadId, type } = await openTicket('owner', { 'max-open': 1 });
    const second = await pressPanel(owner, panel, label);
    expect(second.modal).toBeNull();
    expect(second.text).toBe(`You may have 1 open at a time. Please go on here: <#${threadId}>`);
    expect(await database.db().collection('tickets').countDocuments({ ticketType: type })).toBe(1);
  });

  test('two forms sent at once at a limit of one make one ticket', async () => {
    const { panel, label, type } = await newType({ 'max-open': 1 });
    const owner = discord.person('owner');
    const forms = [await pressPanel(owner, panel, label), await pressPanel(owner, panel, label)];
    const outcomes = await Promise.all(forms.map((form) => owner.submit(form, words)));
    const [refused, opened] = outcomes.map(({ text }) => text).sort();
    expect(opened).toMatch(/^Your ticket is here/);
    expect(refused).toBe('No more than 1 at a time: the member has 1 open already.');
    expect(await database.db().collection('tickets').countDocuments({ ticketType: type })).toBe(1);
  });

  test('says in plain words that somebody is blocked, before the form and after it', async () => {
    const { panel, label } = await newType();
    const owner = discord.person('owner');
    const form = await pressPanel(owner, panel, label);
    const { guildId } = discord.state;
    await counterfoil.blocks.create.mutate({ guildId, discordId: owner.id, reason: 'Spam.' });
    const late = await owner.submit(form, words);
    expect(late.text).toBe('You may not open tickets here. Reason: Spam.');
    const next = await pressPanel(owner, panel, label);
    expect([next.modal, next.text]).toEqual([null, 'You may not open tickets of this kind at the moment.']);
  });

  test('the same form sent twice is one ticket', async () => {
    const { owner, form, threadId, type } = await openTicket('owner');
    const same = await owner.submit(form, words);
    expect(threadIn(same)).toBe(threadId);
    const changed = await owner.submit(form, { ...words, subject: 'Another' });
    expect(changed.text).toBe('This form was sent before. Press the button again to see your ticket.');
    expect(await database.db().collection('tickets').countDocuments({ ticketType: type })).toBe(1);
  });

  test('a ticket whose thread could not be made gets it when the member presses again', async () => {
    const { panel, label, type } = await newType();
    const owner = discord.person('owner');
    const form = await pressPanel(owner, panel, label);
    const met = discord.next('POST', /^\/channels\/\d+\/threads$/, { status: 403, code: 50013 });
    const outcome = await owner.submit(form, words);
    await met;
    expect(outcome.text).toBe('The bot lacks a permission in the channel of these tickets.');
    expect(await stored({ ticketType: type })).toMatchObject({ channelId: null });

    const again = await pressPanel(owner, panel, label);
    expect(again.modal).toBeNull();
    expect(await stored({ ticketType: type })).toMatchObject({ channelId: threadIn(again) });
    expect(discord.messagesIn(threadIn(again))).toHaveLength(1);
    expect(await database.db().collection('tickets').countDocuments({ ticketType: type })).toBe(1);
  });

  test('a claim whose announcement was lost is announced when the button is pressed again', async () => {
    const staff = newStaff('staff');
    const { threadId, shortId } = await openTicket('owner');
    const card = lastIn(threadId);
    const met = discord.next('POST', /^\/channels\/\d+\/messages$/, { status: 403, code: 50001 });
    const lost = await staff.press(card, 'Claim');
    await met;
    expect(lost.text).toBe('The bot lacks a permission in the channel of these tickets.');
    expect([lastIn(threadId), discord.buttonsOf(card)]).toEqual([card, ['Claim', 'Close']]);

    await staff.press(card, 'Claim');
    expect(lastIn(threadId).content).toBe(`<@${staff.id}> takes care of this ticket.`);
    expect(await historyOf(shortId)).toEqual(['create', 'update', 'claim']);
  });

  test('an interaction that is delivered twice is carried out once', async () => {
    const { owner, panel, label, type } = { ...(await newType()), owner: discord.person('owner') };
    const form = await pressPanel(owner, panel, label);
    const opened = owner.submit(form, words);
    discord.gateway.repeat();
    const threadId = threadIn(await opened);
    await until(() => discord.refused.length > 0);
    expect(discord.refused.splice(0).map(({ code }) => code)).toEqual([40060]);
    expect(discord.messagesIn(threadId)).toHaveLength(1);
    expect(await database.db().collection('tickets').countDocuments({ ticketType: type })).toBe(1);
  });

  test('a ticket whose thread was deleted can still be closed', async () => {
    const staff = newStaff('staff');
    const { owner, threadId, shortId, type } = await openTicket('owner');
    const card = lastIn(threadId);
    discord.deleteThread(threadId);
    expect(card.channel_id).toBe(threadId);

    const forStranger = await discord.person('stranger').type(panelChannel, 'ticket-close', 'ticket', shortId);
    expect(forStranger.choices).toEqual([]);
    for (const person of [owner, staff]) {
      const { choices } = await person.type(panelChannel, 'ticket-close', 'ticket', shortId.toUpperCase());
      expect(choices).toEqual([{ name: expect.stringContaining(`${type}-`), value: shortId }]);
    }
    const asked = await staff.command(panelChannel, 'ticket-close', { ticket: shortId });
    const closed = await staff.submit(asked, { reason: 'The thread is gone.' });
    expect(closed.text).toMatch(new RegExp(`^Ticket ${type}-\\d+ is closed.$`));
    expect(await stored({ shortId })).toMatchObject({ closed: true, closeReason: 'The thread is gone.' });
    expect(discord.refused.splice(0).map(({ code }) => code)).toEqual([10003]);
  });

  test('a ticket whose type is gone can still be closed by who manages the server', async () => {
    const staff = newStaff('staff');
    const { shortId, type } = await openTicket('owner');
    await counterfoil.channels.delete.mutate({ guildId: discord.state.guildId, ticketType: type });
    const { choices } = await admin.type(panelChannel, 'ticket-close', 'ticket', shortId);
    expect(choices).toHaveLength(1);
    const asked = await staff.command(panelChannel, 'ticket-close', { ticket: shortId });
    const refused = await staff.submit(asked, {});
    expect(refused.text).toBe('Only the staff for this kind of ticket can do that.');
    await admin.submit(await admin.command(panelChannel, 'ticket-close', { ticket: shortId }), {});
    expect(await stored({ shortId })).toMatchObject({ closed: true, closedBy: admin.id });
  });

  test('a ticket of another server is none here', async () => {
    const { ticket } = await counterfoil.tickets.create.mutate({
      guildId: otherGuild,
      ticketType: 'support',
      ticketOwner: admin.id,
    });
    const asked = await admin.command(panelChannel, 'ticket-close', { ticket: ticket.ticketShortId });
    const { text } = await admin.submit(asked, {});
    expect(text).toBe('This ticket does not exist.');
  });

  test('goes on in a thread that Discord has archived', async () => {
    const staff = newStaff('staff');
    const { threadId, shortId } = await openTicket('owner');
    discord.archive(threadId);
    await staff.press(lastIn(threadId), 'Claim');
    expect(lastIn(threadId).content).toBe(`<@${staff.id}> takes care of this ticket.`);
    expect(await stored({ shortId })).toMatchObject({ claimedBy: staff.id });
  });

  test('what happens while the connection to Discord is cut is done when it is back, once', async () => {
    const staff = newStaff('staff');
    const { threadId, shortId } = await openTicket('owner');
    const sessions = discord.gateway.sessions();
    discord.gateway.cut();
    const { hasFailed } = await staff.press(lastIn(threadId), 'Claim');
    expect(hasFailed).toBe(false);
    expect(await stored({ shortId })).toMatchObject({ claimedBy: staff.id });
    expect(await historyOf(shortId)).toEqual(['create', 'update', 'claim']);
    expect(discord.gateway.sessions()).toBe(sessions);
  });
});

describe('when a process is killed', () => {
  test('the service: people are told in plain words, or their claim goes through when it is back', async () => {
    const staff = newStaff('staff');
    const { owner, panel, label, threadId, shortId } = await openTicket('owner');
    server.kill('SIGKILL');
    await server.exited;

    const pressed = await owner.press(panel, label);
    expect(pressed.modal).toBeNull();
    expect(pressed.text).toMatch(/^The ticket service (cannot be reached|did not answer)/);
    const claim = staff.press(lastIn(threadId), 'Claim');
    server = await startServer({ env: serverEnv });
    let { text } = await claim;
    while (text !== '') {
      expect(text).toMatch(/^The ticket service cannot be reached/);
      ({ text } = await staff.press(lastIn(threadId), 'Claim'));
    }
    expect(await stored({ shortId })).toMatchObject({ claimedBy: staff.id });
    expect(await historyOf(shortId)).toEqual(['create', 'update', 'claim']);

    const form = await pressPanel(owner, panel, label);
    expect(threadIn(await owner.submit(form, words))).not.toBe(threadId);
  });

  test('the bot, at three moments of making a thread: each ticket has one when it is back', async () => {
    const staff = newStaff('staff');
    const owner = discord.person('owner');
    const moments = [
      ['unanswered', 'threads', 'before the thread is made'],
      ['done-unanswered', 'threads', 'before the bot knows that it is'],
      ['done-unanswered', 'messages', 'before the bot knows that the first message is sent'],
    ] as const;
    const tickets = [];
    for (const [fate, what] of moments) {
      // In a channel of its own: what is not answered keeps other requests to the same channel waiting.
      const channel = discord.state.addChannel('support');
      const { panel, label, type } = await newType({ channel });
      const form = await pressPanel(owner, panel, label);
      const met = discord.next('POST', new RegExp(`^/channels/\\d+/${what}$`), fate);
      owner.submit(form, words).catch(() => {});
      await met;
      expect(await stored({ ticketType: type })).toMatchObject({ channelId: null });
      tickets.push({ channel, panel, label, type });
    }
    await bot.kill();
    bot = await startBot(botEnv);

    for (const { channel, panel, label, type } of tickets) {
      const threads = discord.threadsOf(channel);
      expect(threads).toHaveLength(1);
      const threadId = threads[0]?.id ?? '';
      expect(await stored({ ticketType: type })).toMatchObject({ channelId: threadId });
      expect(discord.messagesIn(threadId)).toHaveLength(1);
      // The buttons of before work, in the thread and of the panel.
      await staff.press(lastIn(threadId), 'Claim');
      expect(await stored({ ticketType: type })).toMatchObject({ claimedBy: staff.id });
      expect((await pressPanel(owner, panel, label)).modal).not.toBeNull();
    }
  });
});
