export type { Block } from '@counterfoil/shared/blocks';
export type { TicketChannel } from '@counterfoil/shared/channels';
export type { Eligibility } from '@counterfoil/shared/eligibility';
export { type ErrorType, errorStatus, type Issue } from '@counterfoil/shared/errors';
export type { HistoryEntry } from '@counterfoil/shared/history';
export { type Key, type Scope, scopes } from '@counterfoil/shared/keys';
export type { Note } from '@counterfoil/shared/notes';
export { LongText, limits, Snowflake, Uuid } from '@counterfoil/shared/primitives';
export { Label, Priority, ShortId, type Ticket, TicketName, TicketType } from '@counterfoil/shared/tickets';
export type { User } from '@counterfoil/shared/users';
export { createClient } from './create-client.ts';
export {
  CounterfoilError,
  type CounterfoilErrorDetails,
  type CounterfoilErrorType,
  isCounterfoilError,
} from './errors.ts';
export { interactionUuid } from './interaction-uuid.ts';
export type { ClientOptions } from './options.ts';
export { pages } from './pages.ts';
export type { AppRouter, CounterfoilClient, RouterInputs, RouterOutputs } from './router-types.ts';
export { parseTicketData } from './ticket-data.ts';
