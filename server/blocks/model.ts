import type { Block as ApiBlock } from '@counterfoil/shared/blocks';
import { model, Schema, trusted } from 'mongoose';
import { coalesce } from '../database/coalesce.ts';
import { rawCollection } from '../database/raw.ts';

/** Who may not open tickets in a guild: of one type, or of any (null). */
export interface BlockRecord {
  _id: string;
  guildId: string;
  discordId: string;
  ticketType: string | null;
  reason: string | null;
  expiresAt: Date | null;
  createdAt: Date;
}

const schema = new Schema<BlockRecord>(
  {
    _id: { type: String, required: true },
    guildId: { type: String, required: true },
    discordId: { type: String, required: true },
    ticketType: { type: String, default: null },
    reason: { type: String, default: null },
    expiresAt: { type: Date, default: null },
    createdAt: { type: Date, required: true },
  },
  { collection: 'blocks', versionKey: false, strict: 'throw' },
);
schema.index({ guildId: 1, discordId: 1, ticketType: 1 }, { unique: true });
schema.index({ guildId: 1, createdAt: -1, _id: -1 });
// The database removes what has expired, within a minute or two.
schema.index({ expiresAt: 1 }, { expireAfterSeconds: 0 });

export const Block = model<BlockRecord>('Block', schema);

/** The part of a filter that leaves blocks in force. */
export const inForce = () => ({ $or: [{ expiresAt: null }, { expiresAt: trusted({ $gt: new Date() }) }] });

/** Whom a block would keep from opening a ticket of a type. */
interface Opener {
  guildId: string;
  ticketOwner: string;
  ticketType: string;
}

/** The block that keeps a person from opening a ticket of a type, the longest where there are two; or null. */
export const findBlock = coalesce(async (openers: readonly Opener[]) => {
  const filter = {
    guildId: { $in: [...new Set(openers.map(({ guildId }) => guildId))] },
    discordId: { $in: [...new Set(openers.map(({ ticketOwner }) => ticketOwner))] },
    ticketType: { $in: [null, ...new Set(openers.map(({ ticketType }) => ticketType))] },
    ...inForce(),
  };
  const blocks = await rawCollection(Block).find<BlockRecord>(filter).toArray();
  const end = ({ expiresAt }: BlockRecord) => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
  const longestLast = blocks.toSorted((a, b) => end(a) - end(b));
  return openers.map(({ guildId, ticketOwner, ticketType }) => {
    const isOf = (block: BlockRecord) =>
      block.guildId === guildId &&
      block.discordId === ticketOwner &&
      (block.ticketType === null || block.ticketType === ticketType);
    return longestLast.findLast(isOf) ?? null;
  });
});

/** The block as every route returns it. */
export function toApi({ _id: _, expiresAt, createdAt, ...block }: BlockRecord): ApiBlock {
  return { ...block, expiresAt: expiresAt?.toISOString() ?? null, createdAt: createdAt.toISOString() };
}
