import { example } from '@counterfoil/shared/primitives';
import * as errors from '../errors.ts';

const { shortId, guildId, claimerId, ticketId, noteId, commandId } = example;
const name = 'support-0001';

/** One error of each type that the service answers with, as the document shows it. */
export const exampleErrors: readonly errors.DomainError[] = [
  new errors.InvalidJson('it could not be parsed'),
  new errors.ValidationFailed([{ path: 'guildId', message: 'Expected a Discord id: a string of 17 to 20 digits' }]),
  new errors.InvalidEncoding('The path or the query is not percent-encoded UTF-8.'),
  new errors.MissingKey(),
  new errors.InvalidKey(),
  new errors.InsufficientScope('write'),
  new errors.GuildNotAllowed(guildId),
  new errors.OwnerBlocked({ reason: 'Opened ten tickets in a minute.', expiresAt: new Date(example.later) }),
  new errors.NotTheOwner(shortId),
  new errors.TicketNotFound(shortId),
  new errors.TicketNotClaimed(shortId),
  new errors.TicketChannelNotFound('support', guildId),
  new errors.UserNotFound(claimerId),
  new errors.KeyNotFound('XS2YfX3r'),
  new errors.RouteNotFound(),
  new errors.MethodNotAllowed('POST'),
  new errors.RequestTimeout(),
  new errors.TicketAlreadyClaimed(shortId, claimerId),
  new errors.TicketClosed(shortId),
  new errors.TicketNotClosed(shortId),
  new errors.TicketIdTaken(ticketId),
  new errors.ShortIdTaken(shortId),
  new errors.NameTaken(),
  new errors.AmbiguousName(name, [guildId, '556677889900112233']),
  new errors.TicketChannelExists(),
  new errors.UserExists(),
  new errors.NoteIdTaken(noteId),
  new errors.CommandIdTaken(commandId),
  new errors.VersionMismatch(3),
  new errors.OwnerLimitReached(1, 1),
  new errors.NotTheClaimer(shortId),
  new errors.BodyTooLarge(),
  new errors.UnsupportedMediaType(),
  new errors.Cooldown(new Date(example.later)),
  new errors.RateLimited('This key has used up its 500 commands in 10 s.', 4),
  new errors.HeadersTooLarge(),
  new errors.Internal(undefined),
  new errors.Overloaded(),
  new errors.DatabaseUnavailable(),
  new errors.OutcomeUnknown(),
];
