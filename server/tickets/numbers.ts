import { model, Schema } from 'mongoose';
import { coalesce } from '../database/coalesce.ts';
import { rawCollection } from '../database/raw.ts';

/** The last ticket number of each guild. */
export const Counter = model<{ _id: string; tickets: number }>(
  'Counter',
  new Schema<{ _id: string; tickets: number }>(
    { _id: { type: String, required: true }, tickets: { type: Number, required: true } },
    { collection: 'counters', versionKey: false, strict: 'throw' },
  ),
);

const counters = () => rawCollection(Counter);

/** Takes the next numbers of a guild, so many; answers the first of them. */
async function takeNumbers(guildId: string, count: number): Promise<number> {
  const counter = await counters().findOneAndUpdate(
    { _id: guildId },
    { $inc: { tickets: count } },
    { upsert: true, returnDocument: 'after' },
  );
  if (!counter) throw new Error('an upsert returned no document');
  return counter.tickets - count + 1;
}

/** Takes the next ticket number of a guild: 1 at first, never the same twice, gaps allowed. */
export const takeTicketNumber = coalesce(async (guildIds: readonly string[]) => {
  const counts = new Map<string, number>();
  const places = guildIds.map((guildId) => {
    const place = counts.get(guildId) ?? 0;
    counts.set(guildId, place + 1);
    return place;
  });
  const firsts = new Map([...counts].map(([guildId, count]) => [guildId, takeNumbers(guildId, count)]));
  return Promise.all(
    guildIds.map(async (guildId, index) => {
      try {
        return Number(await firsts.get(guildId)) + Number(places[index]);
      } catch (error) {
        return error as Error;
      }
    }),
  );
});

/** Makes sure that the next ticket number of a guild is above `used`; answers whether that changed anything. */
export async function raiseTicketNumber(guildId: string, used: number): Promise<boolean> {
  const raised = await Counter.updateOne({ _id: guildId }, { $max: { tickets: used } }, { upsert: true });
  return raised.modifiedCount + raised.upsertedCount > 0;
}
