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

/** Takes the next numbers of a guild, so many. */
async function takeNumbers(guildId: string, count: number): Promise<number[]> {
  const counter = await counters().findOneAndUpdate(
    { _id: guildId },
    { $inc: { tickets: count } },
    { upsert: true, returnDocument: 'after' },
  );
  if (!counter) throw new Error('an upsert returned no document');
  return Array.from({ length: count }, (_, place) => counter.tickets - count + 1 + place);
}

/** Takes the next ticket number of a guild: 1 at first, never the same twice, gaps allowed. */
export const takeTicketNumber = coalesce(async (guildIds: readonly string[]) => {
  const counts = new Map<string, number>();
  for (const guildId of guildIds) counts.set(guildId, (counts.get(guildId) ?? 0) + 1);
  const left = new Map<string, number[] | Error>();
  await Promise.all(
    [...counts].map(async ([guildId, count]) => {
      const numbers = await takeNumbers(guildId, count).catch((error: Error) => error);
      left.set(guildId, numbers);
    }),
  );
  return guildIds.map((guildId) => {
    const numbers = left.get(guildId);
    const number = numbers instanceof Error ? numbers : numbers?.shift();
    return number ?? new Error('a number was not taken');
  });
});

/** Makes sure that the next ticket number of a guild is above `used`; answers whether that changed anything. */
export async function raiseTicketNumber(guildId: string, used: number): Promise<boolean> {
  const raised = await Counter.updateOne({ _id: guildId }, { $max: { tickets: used } }, { upsert: true });
  return raised.modifiedCount + raised.upsertedCount > 0;
}
