import type {
  AppRouter,
  ClientOptions,
  CounterfoilClient,
  CounterfoilError,
  CounterfoilErrorType,
  RouterInputs,
  RouterOutputs,
  Ticket,
} from '@counterfoil/client';
import * as client from '@counterfoil/client';
import type { TRPCClientErrorLike } from '@trpc/client';
import type { inferRouterContext } from '@trpc/server';
import { z } from 'zod';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type IsAny<T> = 0 extends 1 & T ? true : false;

/** Whether there is `any` within: in a field, an element, or what a function takes or answers. Date has its own. */
type HasAny<T, Depth extends 0[] = []> =
  IsAny<T> extends true
    ? true
    : Depth['length'] extends 8
      ? false
      : unknown extends T
        ? false
        : T extends Date
          ? false
          : T extends readonly (infer Element)[]
            ? HasAny<Element, [...Depth, 0]>
            : T extends (...args: infer Args) => infer Result
              ? HasAny<Args | Result, [...Depth, 0]>
              : T extends object
                ? { [K in keyof T]-?: HasAny<T[K], [...Depth, 0]> }[keyof T]
                : false;

/** Compiles where the type is `true` alone. */
function holds<_T extends true>(): void {}
function isFalse<_T extends false>(): void {}

// The measures themselves.
isFalse<Equal<{ a: string }, { a?: string }>>();
isFalse<HasAny<{ a: { b: string[] } | null; c: Record<string, unknown> }>>();
// biome-ignore lint/suspicious/noExplicitAny: it is what is looked for.
holds<Equal<HasAny<{ a: { b: any[] } }>, true>>();

isFalse<HasAny<RouterInputs>>();
isFalse<HasAny<RouterOutputs>>();
isFalse<HasAny<Omit<ClientOptions, 'fetch'>>>();
isFalse<HasAny<Pick<CounterfoilError, 'type' | 'code' | 'requestId' | 'issues' | 'details' | 'retryAfterMs'>>>();
isFalse<HasAny<inferRouterContext<AppRouter>>>();
isFalse<HasAny<TRPCClientErrorLike<AppRouter>['data']>>();
isFalse<HasAny<typeof client.interactionUuid | typeof client.limits | typeof client.errorStatus>>();
isFalse<IsAny<CounterfoilClient['tickets']['claim']['mutate']>>();
isFalse<IsAny<AppRouter>>();

type CommandFields = {
  actorId?: string | undefined;
  expectedVersion?: number | undefined;
  commandId?: string | undefined;
};
type Fields<T> = { [K in keyof T]: T[K] };

holds<
  Equal<Fields<RouterInputs['tickets']['claim']>, Fields<{ shortId: string; discordId: string } & CommandFields>>
>();
holds<
  Equal<
    Fields<RouterInputs['tickets']['close']>,
    Fields<{ shortId: string; closedBy?: string | undefined; reason?: string | undefined } & CommandFields>
  >
>();
holds<
  Equal<
    Fields<RouterInputs['tickets']['create']>,
    {
      ticketType: string;
      guildId: string;
      ticketOwner: string;
      ticketId?: string | undefined;
      ticketShortId?: string | undefined;
      ticketName?: string | undefined;
      ticketData?: string | Record<string, unknown> | undefined;
      claimed?: boolean | undefined;
      claimedBy?: string | null | undefined;
      closed?: boolean | undefined;
      channelId?: string | undefined;
      actorId?: string | undefined;
      commandId?: string | undefined;
    }
  >
>();

interface ExpectedTicket {
  ticketId: string;
  ticketShortId: string;
  ticketNumber: number | null;
  ticketType: string;
  ticketName: string;
  ticketData: string | null;
  guildId: string;
  ticketOwner: string;
  channelId: string | null;
  status: 'open' | 'closed';
  claimed: boolean;
  claimedBy: string | null;
  claimedAt: string | null;
  closed: boolean;
  closedBy: string | null;
  closeReason: string | null;
  closedAt: string | null;
  priority: 'low' | 'normal' | 'high' | 'urgent';
  labels: string[];
  participants: string[];
  rating: { rating: number; comment: string | null; at: string } | null;
  reopenCount: number;
  version: number;
  createdAt: string;
  updatedAt: string;
}
holds<Equal<Fields<Ticket>, Fields<ExpectedTicket>>>();
holds<Equal<RouterOutputs['tickets']['get'], Ticket>>();
holds<Equal<RouterOutputs['tickets']['create'], { created: boolean; ticket: Ticket }>>();
holds<
  Equal<
    RouterOutputs['tickets']['claim'],
    { claimed: true; changed: boolean; ticket: Ticket; claimer: { userId: string; discordId: string } }
  >
>();
holds<
  Equal<
    RouterOutputs['tickets']['isClaimed'],
    { claimed: boolean; claimer: { userId: string; discordId: string } | null; claimedAt: string | null }
  >
>();
type TicketList = RouterOutputs['tickets']['list'];
holds<Equal<TicketList['tickets'], Ticket[]>>();
holds<Equal<TicketList['nextCursor'], string | null>>();
holds<Equal<TicketList['truncated'], boolean | undefined>>();
holds<Equal<keyof TicketList, 'tickets' | 'nextCursor' | 'truncated'>>();
holds<Equal<RouterOutputs['users']['exists'], { exists: boolean }>>();

type OwnTypes = 'connection_failed' | 'timed_out' | 'aborted' | 'unexpected_response';
holds<Equal<Extract<CounterfoilErrorType, OwnTypes>, OwnTypes>>();
holds<Equal<Exclude<CounterfoilErrorType, OwnTypes>, keyof typeof client.errorStatus>>();
isFalse<Equal<CounterfoilErrorType, string>>();
holds<Equal<CounterfoilError<'ticket_already_claimed'>['details'], { claimedBy: string }>>();
holds<Equal<CounterfoilError<'version_mismatch'>['details'], { version: number }>>();
holds<Equal<CounterfoilError<'owner_limit_reached'>['details'], { limit: number; open: number }>>();
holds<Equal<CounterfoilError<'ambiguous_name'>['details'], { guildIds: string[] }>>();
holds<Equal<CounterfoilError<'owner_blocked'>['details'], { reason: string | null; expiresAt: string | null }>>();
holds<Equal<CounterfoilError<'ticket_closed'>['details'], undefined>>();
holds<Equal<CounterfoilError<'timed_out'>['details'], undefined>>();
holds<Equal<CounterfoilError['code'], number | null>>();
holds<Equal<CounterfoilError['requestId'], string | null>>();
holds<Equal<CounterfoilError['issues'], { path: string; message: string }[] | undefined>>();

/** What narrows: it is compiled, not run. */
export function narrow(error: unknown, ticket: Ticket): string {
  if (client.isCounterfoilError(error, 'ticket_already_claimed')) return error.details.claimedBy;
  if (client.isCounterfoilError(error)) return error.type;
  const { topic } = client.parseTicketData(ticket, z.object({ topic: z.string() }));
  return topic;
}
