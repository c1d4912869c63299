import { randomInt, randomUUID } from 'node:crypto';
import type { Erased } from '@counterfoil/shared/results';
import { model, Schema, trusted } from 'mongoose';
import { Block } from '../blocks/model.ts';
import { erasureBudget } from '../database/connect.ts';
import { findOrInsert } from '../database/unique.ts';
import type { Principal } from '../keys/authenticate.ts';
import { inGuildsOf } from '../keys/guilds.ts';
import { erasePerson, type Person } from '../tickets/erase.ts';
import { forgetTurns } from '../tickets/limits.ts';
import { Ticket } from '../tickets/model.ts';
import { User } from './model.ts';

/** An erasure under way: who stands in for the person, so that figures stay apart, and how far it has come. */
interface ErasureRecord {
  /** The Discord id, and the guilds of the key. */
  _id: string;
  standIn: string;
  standInUserId: string;
  doneTo: string;
}

const schema = new Schema<ErasureRecord>(
  {
    _id: { type: String, required: true },
    standIn: { type: String, required: true },
    standInUserId: { type: String, required: true },
    doneTo: { type: String, default: '' },
  },
  { collection: 'erasures', versionKey: false, strict: 'throw' },
);
const Erasure = model<ErasureRecord>('Erasure', schema);

/** Tickets that are looked through at once. */
const batchSize = 1000;

/** Shaped as a Discord id, but none: those have 64 bits, and so no twenty digits that begin with 99. */
const makeStandIn = () => `99${String(randomInt(2 ** 47)).padStart(18, '0')}`;

/**
 * Takes a person out of everything that the key sees: their Discord id gives way to a stand-in, their texts are removed. Their
 * entry among the users is global, so that only a key of all guilds deletes it.
 */
export async function eraseUser(key: Principal, discordId: string): Promise<Erased> {
  const giveUpAt = performance.now() + erasureBudget;
  const _id = [discordId, ...(key.guildIds ?? []).toSorted()].join(':');
  const made = { standIn: makeStandIn(), standInUserId: randomUUID(), doneTo: '' };
  const found = await findOrInsert(Erasure, { _id }, made);
  if (!found) throw new Error('the erasure could not be stored');
  const { standIn, standInUserId } = found.record;
  const person: Person = { discordId, standIn, standInUserId };
  const visible = inGuildsOf(key);
  let { doneTo } = found.record;
  let [tickets, notes] = [0, 0];
  for (;;) {
    const after = { ...visible, _id: trusted({ $gt: doneTo }) };
    const last = await Ticket.findOne(after, { _id: 1 })
      .sort({ _id: 1 })
      .skip(batchSize - 1)
      .lean();
    const erased = await erasePerson(key, person, { $gt: doneTo, ...(last && { $lte: last._id }) }, giveUpAt);
    tickets += erased.tickets;
    notes += erased.notes;
    const reached = erased.stoppedAt ?? last?._id;
    if (reached === undefined) break;
    doneTo = reached;
    await Erasure.updateOne({ _id }, { doneTo });
    if (performance.now() > giveUpAt) return { changed: true, done: false, tickets };
  }
  const blocks = await Block.deleteMany({ ...visible, discordId });
  await forgetTurns({ $regex: `^(${key.guildIds?.join('|') ?? '[0-9]+'}):${discordId}:` });
  const users = key.guildIds === null ? await User.deleteOne({ discordId }) : { deletedCount: 0 };
  await Erasure.deleteOne({ _id });
  return { changed: tickets + notes + blocks.deletedCount + users.deletedCount > 0, done: true, tickets };
}
