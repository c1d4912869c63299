import { isCounterfoilError, type Ticket, type TicketChannel } from '@counterfoil/client';
import { type GuildMember, PermissionFlagsBits } from 'discord.js';
import { counterfoil } from './counterfoil.ts';
import { Refusal } from './problems.ts';

/** A ticket of this server: a short id may have been typed in. Throws a Refusal for one of another server. */
export async function ticketOf({ guildId }: { guildId: string }, shortId: string): Promise<Ticket> {
  const ticket = await counterfoil.tickets.get.query({ shortId });
  if (ticket.guildId !== guildId) throw new Refusal('This ticket does not exist.');
  return ticket;
}

/** Whether somebody handles tickets of a type: by one of its roles, or because they manage the server. */
export function isStaffOf(member: GuildMember, { staffRoleIds }: Pick<TicketChannel, 'staffRoleIds'>): boolean {
  return member.permissions.has(PermissionFlagsBits.ManageGuild) || member.roles.cache.hasAny(...(staffRoleIds ?? []));
}

/** As `isStaffOf`, of a ticket's type; a type that is gone leaves its tickets to who manages the server. */
export async function isStaff(member: GuildMember, { ticketType, guildId }: Ticket): Promise<boolean> {
  const type = await counterfoil.channels.get.query({ ticketType, guildId }).catch((error) => {
    if (isCounterfoilError(error, 'ticket_channel_not_found')) return { staffRoleIds: null };
    throw error;
  });
  return isStaffOf(member, type);
}

/** Throws a Refusal for everybody but the staff. */
export async function forStaff(member: GuildMember, ticket: Ticket): Promise<void> {
  if (!(await isStaff(member, ticket))) throw new Refusal('Only the staff for this kind of ticket can do that.');
}

/** Throws a Refusal for everybody but the owner and the staff. */
export async function forOwnerOrStaff(member: GuildMember, ticket: Ticket): Promise<void> {
  if (member.id !== ticket.ticketOwner) await forStaff(member, ticket);
}
