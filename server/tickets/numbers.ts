import { model, Schema } from 'mongoose';

/** The last ticket number of each guild. */
export const Counter = model<{ _id: string; tickets: number }>(
  'Counter',
  new Schema<{ _id: string; tickets: number }>(
    { _id: { type: String, required: true }, tickets: { type: Number, required: true } },
    { collection: 'counters', versionKey: false, strict: 'throw' },
  ),
);

/** Takes the next ticket number of a guild: 1 at first, never the same twice, gaps allowed. */
export async function takeTicketNumber(guildId: string): Promise<number> {
  const counter = await Counter.findOneAndUpdate(
    { _id: guildId },
    { $inc: { tickets: 1 } },
    { upsert: true, returnDocument: 'after', lean: true },
  );
  if (!counter) throw new Error('an upsert returned no document');
  return counter.tickets;
}

/** Makes sure that the next ticket number of a guild is above `used`; answers whether that changed anything. */
export async function raiseTicketNumber(guildId: string, used: number): Promise<boolean> {
  const raised = await Counter.updateOne({ _id: guildId }, { $max: { tickets: used } }, { upsert: true });
  return raised.modifiedCount + raised.upsertedCount > 0;
}
