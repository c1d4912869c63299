import type { TicketChannel as ApiTicketChannel } from '@counterfoil/shared/channels';
import { model, Schema } from 'mongoose';

/** The Discord channel of a ticket type in a guild, with the settings of that type. */
export interface TicketChannelRecord {
  _id: string;
  ticketType: string;
  guildId: string;
  channelId: string;
  displayName: string | null;
  maxOpenPerOwner: number | null;
  cooldownSeconds: number | null;
  requireCloseReason: boolean | null;
  staffRoleIds: string[] | null;
  createdAt: Date;
  updatedAt: Date;
}

const schema = new Schema<TicketChannelRecord>(
  {
    _id: { type: String, required: true },
    ticketType: { type: String, required: true },
    guildId: { type: String, required: true },
    channelId: { type: String, required: true },
    displayName: { type: String, default: null },
    maxOpenPerOwner: { type: Number, default: null },
    cooldownSeconds: { type: Number, default: null },
    requireCloseReason: { type: Boolean, default: null },
    staffRoleIds: { type: [String], default: null },
    createdAt: { type: Date, required: true },
    updatedAt: { type: Date, required: true },
  },
  { collection: 'ticketChannels', versionKey: false, strict: 'throw' },
);
schema.index({ guildId: 1, ticketType: 1 }, { unique: true });

export const TicketChannel = model<TicketChannelRecord>('TicketChannel', schema);

/** The channel as every route returns it. */
export function toApi({ _id, createdAt, updatedAt, ...channel }: TicketChannelRecord): ApiTicketChannel {
  return { id: _id, ...channel, createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() };
}
