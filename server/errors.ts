import type { ErrorDetails, ErrorType, Issue } from '@counterfoil/shared/errors';
import { errorStatus } from '@counterfoil/shared/errors';
import type { Scope } from '@counterfoil/shared/keys';
import { limits } from '@counterfoil/shared/primitives';
import { type ProcedureType, TRPCError } from '@trpc/server';
import type { TRPC_ERROR_CODE_KEY } from '@trpc/server/rpc';
import { mongo } from 'mongoose';
import { ZodError } from 'zod';
import { redact } from './operations/logger.ts';

/** A refusal that the caller is told about as it is. Every subclass is one type of the contract. */
export class DomainError<T extends ErrorType = ErrorType> extends Error {
  readonly type: T;
  readonly details: ErrorDetails<T> | undefined;
  readonly issues: Issue[] | undefined;
  /** Headers that the answer must carry. */
  readonly headers: Record<string, string>;

  constructor(
    type: T,
    message: string,
    more: { details?: ErrorDetails<T>; issues?: Issue[]; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    // A caller may have sent a key where an id belongs, which most messages repeat.
    super(redact(message), { cause: more.cause });
    this.name = new.target.name;
    this.type = type;
    this.details = more.details;
    this.issues = more.issues;
    this.headers = more.headers ?? {};
  }

  get status(): number {
    return errorStatus[this.type];
  }
}

export class InvalidJson extends DomainError<'invalid_json'> {
  constructor(problem: string, what: 'body' | 'input' = 'body') {
    super('invalid_json', `The ${what} is not valid JSON: ${problem}.`);
  }
}
export class ValidationFailed extends DomainError<'validation_failed'> {
  constructor(issues: Issue[]) {
    const fields = issues.map(({ path, message }) => (path ? `${path}: ${message}` : message));
    super('validation_failed', `The input is not valid. ${fields.join('; ')}.`, { issues });
  }
}
export class InvalidEncoding extends DomainError<'invalid_encoding'> {
  constructor(message: string) {
    super('invalid_encoding', message);
  }
}
export class BatchTooLarge extends DomainError<'batch_too_large'> {
  constructor() {
    super('batch_too_large', `A batch holds at most ${limits.batchCalls} calls: send several.`);
  }
}
const authenticate = { headers: { 'WWW-Authenticate': 'Bearer' } };
export class MissingKey extends DomainError<'missing_key'> {
  constructor() {
    super('missing_key', 'Please specify an authorization key!', authenticate);
  }
}
export class InvalidKey extends DomainError<'invalid_key'> {
  constructor() {
    super('invalid_key', 'Invalid authorization Key!', authenticate);
  }
}
export class InsufficientScope extends DomainError<'insufficient_scope'> {
  constructor(needed: Scope) {
    super('insufficient_scope', `This needs a key of scope "${needed}".`);
  }
}
/** A key that was to be made wider than the one that makes it, in a way that scope and guilds do not tell. */
export class WiderThanItself extends DomainError<'insufficient_scope'> {
  constructor(field: string, allowed: string) {
    super('insufficient_scope', `A key makes none that is wider than itself. ${field}: send at most ${allowed}.`);
  }
}
export class GuildNotAllowed extends DomainError<'guild_not_allowed'> {
  constructor(guildId: string | null) {
    const where = guildId === null ? 'for all guilds: name some of its own in guildIds' : `in guild ${guildId}`;
    super('guild_not_allowed', `This key may not act ${where}.`);
  }
}
export class TicketNotFound extends DomainError<'ticket_not_found'> {
  constructor(reference: string) {
    super('ticket_not_found', `There is no ticket "${reference}".`);
  }
}
export class TicketNotClaimed extends DomainError<'ticket_not_claimed'> {
  constructor(shortId: string) {
    super('ticket_not_claimed', `Ticket "${shortId}" is not claimed by anyone.`);
  }
}
export class TicketChannelNotFound extends DomainError<'ticket_channel_not_found'> {
  constructor(ticketType: string, guildId: string) {
    super('ticket_channel_not_found', `Guild ${guildId} has no channel for tickets of type "${ticketType}".`);
  }
}
export class UserNotFound extends DomainError<'user_not_found'> {
  constructor(id: string) {
    super('user_not_found', `There is no user ${id}.`);
  }
}
export class KeyNotFound extends DomainError<'key_not_found'> {
  constructor(keyId: string) {
    super('key_not_found', `There is no key ${keyId} in force.`);
  }
}
export class RouteNotFound extends DomainError<'route_not_found'> {
  constructor() {
    super('route_not_found', 'There is no such route. GET /openapi.json lists them.');
  }
}
export class MethodNotAllowed extends DomainError<'method_not_allowed'> {
  constructor(allow: string) {
    super('method_not_allowed', `This route takes ${allow}.`, { headers: { Allow: allow } });
  }
}
export class HeadersTooLarge extends DomainError<'headers_too_large'> {
  constructor() {
    super('headers_too_large', 'The headers are too large: 16 KiB at most.');
  }
}
export class RequestTimeout extends DomainError<'request_timeout'> {
  constructor() {
    super('request_timeout', 'The request did not arrive in time.', { headers: { Connection: 'close' } });
  }
}
export class TicketAlreadyClaimed extends DomainError<'ticket_already_claimed'> {
  constructor(shortId: string, claimedBy: string) {
    super('ticket_already_claimed', `Ticket "${shortId}" is already claimed by ${claimedBy}.`, {
      details: { claimedBy },
    });
  }
}
export class TicketClosed extends DomainError<'ticket_closed'> {
  constructor(shortId: string) {
    super('ticket_closed', `Ticket "${shortId}" is closed.`);
  }
}
export class TicketNotClosed extends DomainError<'ticket_not_closed'> {
  constructor(shortId: string) {
    super('ticket_not_closed', `Ticket "${shortId}" is not closed yet.`);
  }
}
export class NoteIdTaken extends DomainError<'note_id_taken'> {
  constructor(noteId: string) {
    super('note_id_taken', `noteId ${noteId} is in use for another note.`);
  }
}
export class OwnerBlocked extends DomainError<'owner_blocked'> {
  constructor({ reason, expiresAt }: { reason: string | null; expiresAt: Date | null }) {
    super('owner_blocked', 'This owner may not open such tickets here: details tell why, and until when.', {
      details: { reason, expiresAt: expiresAt?.toISOString() ?? null },
    });
  }
}
export class OwnerLimitReached extends DomainError<'owner_limit_reached'> {
  constructor(limit: number, open: number) {
    super('owner_limit_reached', `This owner has ${open} open tickets of this type; ${limit} are allowed.`, {
      details: { limit, open },
    });
  }
}
export class Cooldown extends DomainError<'cooldown'> {
  constructor(endsAt: Date) {
    super('cooldown', `This owner may open the next ticket of this type at ${endsAt.toISOString()}.`, {
      headers: { 'Retry-After': String(Math.max(1, Math.ceil((endsAt.getTime() - Date.now()) / 1000))) },
    });
  }
}
export class RateLimited extends DomainError<'rate_limited'> {
  constructor(what: string, seconds: number) {
    super('rate_limited', `${what} Try again when Retry-After is over.`, {
      headers: { 'Retry-After': String(Math.max(1, seconds)) },
    });
  }
}
export class NotTheClaimer extends DomainError<'not_the_claimer'> {
  constructor(shortId: string) {
    super('not_the_claimer', `Ticket "${shortId}" is claimed by someone else.`);
  }
}
export class NotTheOwner extends DomainError<'not_the_owner'> {
  constructor(shortId: string) {
    super('not_the_owner', `Only the owner of ticket "${shortId}" may do this.`);
  }
}
export class TicketIdTaken extends DomainError<'ticket_id_taken'> {
  constructor(ticketId: string) {
    super('ticket_id_taken', `ticketId ${ticketId} is in use. Send the same content to repeat, or another id.`);
  }
}
export class ShortIdTaken extends DomainError<'short_id_taken'> {
  constructor(shortId: string) {
    super('short_id_taken', `ticketShortId "${shortId}" is in use. Send another, or leave it out.`);
  }
}
export class NameTaken extends DomainError<'name_taken'> {
  constructor() {
    super('name_taken', 'Another open ticket of this guild has this name.');
  }
}
export class AmbiguousName extends DomainError<'ambiguous_name'> {
  constructor(ticketName: string, guildIds: string[]) {
    super('ambiguous_name', `Several guilds have a ticket "${ticketName}". Say which by guildId.`, {
      details: { guildIds },
    });
  }
}
export class TicketChannelExists extends DomainError<'ticket_channel_exists'> {
  constructor() {
    super('ticket_channel_exists', 'This ticket type has another channel in this guild, or the id is in use.');
  }
}
export class UserExists extends DomainError<'user_exists'> {
  constructor() {
    super('user_exists', 'This Discord id has another userId, or this userId another Discord id.');
  }
}
export class CommandIdTaken extends DomainError<'command_id_taken'> {
  constructor(commandId: string) {
    super('command_id_taken', `commandId ${commandId} was used for another command or input on this ticket.`);
  }
}
export class VersionMismatch extends DomainError<'version_mismatch'> {
  constructor(version: number) {
    super('version_mismatch', `The ticket has version ${version}. Read it again and decide.`, { details: { version } });
  }
}
export class BodyTooLarge extends DomainError<'body_too_large'> {
  constructor() {
    super('body_too_large', `A body has at most ${limits.bodyBytes} bytes.`);
  }
}
export class UnsupportedMediaType extends DomainError<'unsupported_media_type'> {
  constructor() {
    super('unsupported_media_type', 'Send the body as application/json in UTF-8, without a content encoding.');
  }
}
export class Internal extends DomainError<'internal'> {
  constructor(cause: unknown) {
    super('internal', 'Something went wrong here. It is logged under this requestId.', { cause });
  }
}
const retrySoon = { 'Retry-After': '1' };
export class Overloaded extends DomainError<'overloaded'> {
  constructor() {
    super('overloaded', 'Too many requests are under way here. Nothing was changed; try again.', {
      headers: retrySoon,
    });
  }
}
export class DatabaseUnavailable extends DomainError<'database_unavailable'> {
  constructor(cause?: unknown) {
    super('database_unavailable', 'The database is away, or took too long. Nothing was changed; try again.', {
      headers: retrySoon,
      cause,
    });
  }
}
const unrepeatable = 'keys.create and keys.rotate (look at keys.list first)';
export class OutcomeUnknown extends DomainError<'outcome_unknown'> {
  constructor(cause?: unknown) {
    super(
      'outcome_unknown',
      `The database did not confirm the change. Repeat the same request: that is safe, but for ${unrepeatable}.`,
      {
        headers: retrySoon,
        cause,
      },
    );
  }
}
export class ShuttingDown extends DomainError<'shutting_down'> {
  constructor() {
    super('shutting_down', 'This server is shutting down. Try again.', { headers: retrySoon });
  }
}

/** Issues told at most, and characters of a field's name: what a caller made up need not come back whole. */
const issuesTold = 100;
const nameTold = 100;

/** What a schema found wrong, by field. */
export function issuesOf(error: ZodError): Issue[] {
  const issues = error.issues.flatMap((issue) => {
    if (issue.code !== 'unrecognized_keys') return [{ path: issue.path.join('.'), message: issue.message }];
    return issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'Unknown field' }));
  });
  return shorten(issues);
}

/** The first of many issues, with names cut, and without keys. */
export function shorten(issues: Issue[]): Issue[] {
  return issues.slice(0, issuesTold).map(({ path, message }) => ({ path: redact(path).slice(0, nameTold), message }));
}

/**
 * The codes that MongoDB names retryable (HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress,
 * ReadConcernMajorityNotAvailableYet, PrimarySteppedDown, ExceededTimeLimit, SocketException, NotWritablePrimary, the
 * Interrupted… and NotPrimary… ones), and MaxTimeMSExpired and NetworkInterfaceExceededTimeLimit.
 */
const passing = new Set<unknown>([6, 7, 50, 89, 91, 134, 189, 202, 262, 9001, 10107, 11600, 11602, 13435, 13436]);

/** Errors that the driver does not export: no connection came free in time, or none will any more. */
const withoutConnection = new Set(['MongoWaitQueueTimeoutError', 'MongoPoolClosedError']);

/** Where a connection breaks while it is written to, the driver throws Node's own error; procedures have no other connections. */
const brokenConnection = new Set<unknown>(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED']);

/** What the driver's error means for the caller; `type` is a mutation's where a write can have been sent. */
function describeDatabaseError(error: Error, type: ProcedureType): DomainError | null {
  const unconfirmed =
    error instanceof mongo.MongoServerSelectionError ||
    error instanceof mongo.MongoNetworkError ||
    error instanceof mongo.MongoWriteConcernError ||
    error instanceof mongo.MongoNotConnectedError ||
    error instanceof mongo.MongoTopologyClosedError ||
    error instanceof mongo.MongoOperationTimeoutError ||
    withoutConnection.has(error.name) ||
    ('code' in error && brokenConnection.has(error.code)) ||
    (error instanceof mongo.MongoError && (passing.has(error.code) || error.hasErrorLabel('RetryableWriteError')));
  if (!unconfirmed) return null;
  return type === 'mutation' ? new OutcomeUnknown(error) : new DatabaseUnavailable(error);
}

/** Maps whatever was thrown to the one error that the caller is shown; the cause stays for the log. */
export function toDomainError(error: unknown, type: ProcedureType): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof TRPCError) return ofTrpc(error, type);
  return (error instanceof Error && describeDatabaseError(error, type)) || new Internal(error);
}

/** tRPC's own errors: what it found in the request, or what a procedure threw, as `cause`. */
function ofTrpc(error: TRPCError, type: ProcedureType): DomainError {
  if (error.cause instanceof DomainError) return error.cause;
  switch (error.code) {
    case 'BAD_REQUEST':
      return new ValidationFailed(
        error.cause instanceof ZodError ? issuesOf(error.cause) : [{ path: '', message: error.message }],
      );
    case 'PARSE_ERROR':
      return new InvalidJson('it could not be parsed');
    case 'NOT_FOUND':
      return new RouteNotFound();
    case 'METHOD_NOT_SUPPORTED':
      return new MethodNotAllowed(type === 'mutation' ? 'POST' : 'GET, HEAD');
    default:
      return error.cause && !(error.cause instanceof ZodError) ? toDomainError(error.cause, type) : new Internal(error);
  }
}

const trpcCodes: Record<number, TRPC_ERROR_CODE_KEY> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_SUPPORTED',
  408: 'TIMEOUT',
  409: 'CONFLICT',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'TOO_MANY_REQUESTS',
  503: 'SERVICE_UNAVAILABLE',
};

/** The tRPC code of an HTTP status. */
export function trpcCode(status: number): TRPC_ERROR_CODE_KEY {
  return trpcCodes[status] ?? 'INTERNAL_SERVER_ERROR';
}
