import { model, type mongo, Schema, trusted } from 'mongoose';
import { TicketChannel, type TicketChannelRecord } from '../channels/model.ts';
import { coalesce } from '../database/coalesce.ts';
import { rawCollection } from '../database/raw.ts';
import { inTransaction, oneAtATime, patience } from '../database/transaction.ts';
import { Cooldown, OwnerLimitReached } from '../errors.ts';
import { Ticket } from './model.ts';

/** Who has tickets of which type, and where: what limits and cooldowns are counted by. */
export interface Place {
  guildId: string;
  ticketType: string;
  ticketOwner: string;
}

const schema = new Schema<{ _id: string; turns: number }>(
  { _id: { type: String, required: true }, turns: { type: Number, required: true } },
  { collection: 'turns', versionKey: false, strict: 'throw' },
);
/** One document a place, written by every transaction there. */
const Turn = model('Turn', schema);

/**
 * Does `work` in a transaction of a place: of several at once, each but the first is begun again and sees what those
 * before it wrote. The turn is taken last: who dies before leaves nothing that others would have to wait for.
 */
export async function inTurn<Result>(
  { guildId, ticketOwner, ticketType }: Place,
  work: (session: mongo.ClientSession) => Promise<Result>,
): Promise<Result> {
  const _id = `${guildId}:${ticketOwner}:${ticketType}`;
  const giveUpAt = performance.now() + patience;
  const take = async (session: mongo.ClientSession) => {
    const result = await work(session);
    await Turn.updateOne({ _id }, { $inc: { turns: 1 } }, { upsert: true, session });
    return result;
  };
  return oneAtATime(_id, () => inTransaction(take, giveUpAt));
}

/** Deletes the documents of some places, by their ids: `<guild>:<owner>:<type>`. */
export async function forgetTurns(ids: { $gte: string; $lt: string } | { $regex: string }): Promise<void> {
  await Turn.deleteMany({ _id: trusted({ ...ids }) });
}

const findSettings = coalesce(async (places: readonly Place[]) => {
  // Every type in every guild: one guild's few settings of other types come along.
  const filter = {
    guildId: { $in: [...new Set(places.map(({ guildId }) => guildId))] },
    ticketType: { $in: [...new Set(places.map(({ ticketType }) => ticketType))] },
  };
  const settings = await rawCollection(TicketChannel).find<TicketChannelRecord>(filter).toArray();
  const nameOf = ({ guildId, ticketType }: Pick<Place, 'guildId' | 'ticketType'>) => `${guildId}:${ticketType}`;
  const byName = new Map(settings.map((one) => [nameOf(one), one]));
  return places.map((place) => byName.get(nameOf(place)) ?? null);
});

/** The settings of a place's ticket type, where it has any. */
export async function settingsOf(
  place: Place,
  session: mongo.ClientSession | null = null,
): Promise<TicketChannelRecord | null> {
  if (!session) return findSettings(place);
  const { guildId, ticketType } = place;
  return TicketChannel.findOne({ guildId, ticketType }).session(session).lean();
}

/** How many open tickets an owner has of a type. */
export async function countOpen(place: Place, session: mongo.ClientSession | null = null): Promise<number> {
  return Ticket.countDocuments({ ...place, closed: false }).session(session);
}

/** When the cooldown of a type ends for an owner, by their last ticket of it; null where none is running. */
export async function cooldownEnd(
  place: Place,
  settings: TicketChannelRecord | null,
  session: mongo.ClientSession | null = null,
): Promise<Date | null> {
  if (!settings?.cooldownSeconds) return null;
  // Both values of `closed`, so that the index gives the newest of each without reading the others.
  const last = await Ticket.findOne({ ...place, closed: trusted({ $in: [true, false] }) }, { createdAt: 1 })
    .sort({ createdAt: -1 })
    .session(session)
    .lean();
  const end = last && new Date(last.createdAt.getTime() + settings.cooldownSeconds * 1000);
  return end && end > new Date() ? end : null;
}

/** Throws OwnerLimitReached where the limit of the type leaves no room beside an owner's open tickets but `written`. */
export async function checkLimit(
  place: Place,
  settings: TicketChannelRecord | null,
  written: 0 | 1,
  session: mongo.ClientSession | null,
): Promise<void> {
  const limit = settings?.maxOpenPerOwner ?? null;
  if (limit === null) return;
  const open = (await countOpen(place, session)) - written;
  if (open >= limit) throw new OwnerLimitReached(limit, open);
}

/** Throws OwnerLimitReached or Cooldown where a ticket may not be created now. */
export async function checkCreate(
  { guildId, ticketType, ticketOwner, closed }: Place & { closed?: boolean | undefined },
  settings: TicketChannelRecord | null,
  session: mongo.ClientSession | null = null,
): Promise<void> {
  const place = { guildId, ticketType, ticketOwner };
  if (!closed) await checkLimit(place, settings, 0, session);
  const end = await cooldownEnd(place, settings, session);
  if (end) throw new Cooldown(end);
}
