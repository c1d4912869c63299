import { z } from 'zod';
import { Snowflake, Timestamp } from './primitives.ts';

/** Every type of error that the service answers with, and its HTTP status. */
export const errorStatus = {
  invalid_json: 400,
  validation_failed: 400,
  invalid_encoding: 400,
  batch_too_large: 400,
  missing_key: 401,
  invalid_key: 401,
  insufficient_scope: 403,
  guild_not_allowed: 403,
  owner_blocked: 403,
  not_the_owner: 403,
  ticket_not_found: 404,
  ticket_not_claimed: 404,
  ticket_channel_not_found: 404,
  user_not_found: 404,
  key_not_found: 404,
  block_not_found: 404,
  route_not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  ticket_already_claimed: 409,
  ticket_closed: 409,
  ticket_not_closed: 409,
  ticket_id_taken: 409,
  short_id_taken: 409,
  name_taken: 409,
  ambiguous_name: 409,
  ticket_channel_exists: 409,
  user_exists: 409,
  note_id_taken: 409,
  command_id_taken: 409,
  version_mismatch: 409,
  owner_limit_reached: 409,
  not_the_claimer: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  cooldown: 429,
  headers_too_large: 431,
  internal: 500,
  overloaded: 503,
  database_unavailable: 503,
  outcome_unknown: 503,
  shutting_down: 503,
} as const;

export type ErrorType = keyof typeof errorStatus;

/** The `details` of the error types that carry them. */
export const errorDetails = {
  owner_blocked: z.object({ reason: z.string().nullable(), expiresAt: Timestamp.nullable() }),
  ticket_already_claimed: z.object({ claimedBy: Snowflake }),
  ambiguous_name: z.object({ guildIds: z.array(Snowflake) }),
  version_mismatch: z.object({ version: z.int() }),
  owner_limit_reached: z.object({ limit: z.int(), open: z.int() }),
} as const satisfies Partial<Record<ErrorType, z.ZodObject>>;

export type ErrorDetails<T extends ErrorType> = T extends keyof typeof errorDetails
  ? z.output<(typeof errorDetails)[T]>
  : undefined;

/** What is wrong with one field of the input: `path` is dotted, and empty for the input as a whole. */
export const Issue = z.object({ path: z.string(), message: z.string() });
export type Issue = z.output<typeof Issue>;

/** The schema of a REST error of one type. */
export function errorSchema<T extends ErrorType>(type: T) {
  const details: z.ZodObject | undefined =
    type in errorDetails ? errorDetails[type as keyof typeof errorDetails] : undefined;
  return z.object({
    error: z.object({
      code: z.literal(errorStatus[type]).meta({ description: 'The HTTP status.' }),
      type: z.literal(type),
      message: z.string().meta({ description: 'For people; it may change.' }),
      requestId: z.string().meta({ description: 'The X-Request-Id of this answer.' }),
      ...(type === 'validation_failed' && { issues: z.array(Issue).meta({ description: 'What is wrong, by field.' }) }),
      ...(details && { details }),
    }),
  });
}
