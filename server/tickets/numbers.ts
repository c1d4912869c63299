import { randomUUID } from 'node:crypto';
import { model, Schema } from 'mongoose';
import { coalesce } from '../database/coalesce.ts';
import { rawCollection } from '../database/raw.ts';
import { refusalsOf } from '../database/unique.ts';

interface CounterRecord {
  /** The guild. */
  _id: string;
  tickets: number;
  /** Who took numbers together with those of other guilds, and up to which; the newest first. */
  taken?: { by: string; to: number }[];
}

/** The last ticket number of each guild. */
export const Counter = model<CounterRecord>(
  'Counter',
  new Schema<CounterRecord>(
    {
      _id: { type: String, required: true },
      tickets: { type: Number, required: true },
      taken: { type: [{ _id: false, by: String, to: Number }], default: undefined },
    },
    { collection: 'counters', versionKey: false, strict: 'throw' },
  ),
);

const counters = () => rawCollection(Counter);

/** Takes the next numbers of a guild, so many; answers the last of them. */
async function takeNumbers(guildId: string, count: number): Promise<number> {
  const counter = await counters().findOneAndUpdate(
    { _id: guildId },
    { $inc: { tickets: count } },
    { upsert: true, returnDocument: 'after' },
  );
  if (!counter) throw new Error('an upsert returned no document');
  return counter.tickets;
}

/** Takings that a counter remembers: those that come between the update of one and its read, in any process. */
const remembered = 4;
/** From so many guilds on one update and one read cost less than a call for each, and take no longer. */
const worthwhile = 8;

/**
 * Takes the next numbers of several guilds, with one update and one read for all; answers the last of each. A guild is
 * left out where its update was refused, or too many others took numbers before the read: then those taken are a gap.
 */
async function takeTogether(counts: Map<string, number>): Promise<Map<string, number>> {
  const by = randomUUID();
  const updates = [...counts].map(([_id, count]) => {
    const tickets = { $add: [{ $ifNull: ['$tickets', 0] }, count] };
    const takings = { $concatArrays: [[{ by, to: tickets }], { $ifNull: ['$taken', []] }] };
    const update = [{ $set: { tickets, taken: { $slice: [takings, remembered] } } }];
    return { updateOne: { filter: { _id }, update, upsert: true } };
  });
  // A guild that is refused has no entry of ours, which the read shows; this throws only what befell all.
  await counters()
    .bulkWrite(updates, { ordered: false })
    .catch((error: unknown) => refusalsOf(error, updates.length));
  const counted = await counters()
    .find({ _id: { $in: [...counts.keys()] } })
    .toArray();
  const last = new Map<string, number>();
  for (const { _id, taken } of counted) {
    const mine = taken?.find((taking) => taking.by === by);
    if (mine) last.set(_id, mine.to);
  }
  return last;
}

/** Takes the next ticket number of a guild: 1 at first, never the same twice, gaps allowed. */
export const takeTicketNumber = coalesce(async (guildIds: readonly string[]) => {
  const counts = new Map<string, number>();
  for (const guildId of guildIds) counts.set(guildId, (counts.get(guildId) ?? 0) + 1);
  const together = counts.size >= worthwhile ? await takeTogether(counts) : new Map<string, number>();
  const next = new Map<string, number | Error>();
  await Promise.all(
    [...counts].map(async ([guildId, count]) => {
      const last = together.get(guildId) ?? (await takeNumbers(guildId, count).catch((error: Error) => error));
      next.set(guildId, last instanceof Error ? last : last - count + 1);
    }),
  );
  return guildIds.map((guildId) => {
    const number = next.get(guildId) ?? new Error('a number was not taken');
    if (typeof number === 'number') next.set(guildId, number + 1);
    return number;
  });
});

/** Makes sure that the next ticket number of a guild is above `used`; answers whether that changed anything. */
export async function raiseTicketNumber(guildId: string, used: number): Promise<boolean> {
  const raised = await Counter.updateOne({ _id: guildId }, { $max: { tickets: used } }, { upsert: true });
  return raised.modifiedCount + raised.upsertedCount > 0;
}
