import type { TRPCLink } from '@trpc/client';
import type { AppRouter, RouterInputs } from './router-types.ts';

/** The fields by which the service recognizes a repeated command. */
type RepeatId = 'commandId' | 'ticketId' | 'noteId';

// An input without fields has every string as a key.
type RepeatIdsIn<Input> = string extends keyof Input ? never : keyof Input & RepeatId;

type PathsOf<Resource extends keyof RouterInputs & string> = {
  [Name in keyof RouterInputs[Resource] & string]: [RepeatIdsIn<RouterInputs[Resource][Name]>] extends [never]
    ? never
    : `${Resource}.${Name}`;
}[keyof RouterInputs[Resource] & string];
type Path = { [Resource in keyof RouterInputs & string]: PathsOf<Resource> }[keyof RouterInputs & string];

type RepeatIdsOf<P extends Path> = P extends `${infer Resource extends keyof RouterInputs & string}.${infer Name}`
  ? Name extends keyof RouterInputs[Resource]
    ? RepeatIdsIn<RouterInputs[Resource][Name]>
    : never
  : never;

const command = { commandId: true } as const;

/** What is made for each command where its caller gave none: a command of the router that is missing here fails `tsc`. */
const madeIds: { [P in Path]: { [Id in RepeatIdsOf<P>]: true } } = {
  'tickets.create': { ticketId: true, commandId: true },
  'tickets.claim': command,
  'tickets.unclaim': command,
  'tickets.transfer': command,
  'tickets.close': command,
  'tickets.reopen': command,
  'tickets.update': command,
  'tickets.addParticipant': command,
  'tickets.removeParticipant': command,
  'tickets.rate': command,
  'tickets.delete': command,
  'tickets.addNote': { noteId: true },
};

const madeIdsByPath = new Map<string, string[]>(Object.entries(madeIds).map(([path, ids]) => [path, Object.keys(ids)]));

function withIds(path: string, input: unknown): unknown {
  if (typeof input !== 'object' || input === null) return input;
  const given = new Map(Object.entries(input));
  const missing = (madeIdsByPath.get(path) ?? []).filter((id) => given.get(id) === undefined);
  return { ...input, ...Object.fromEntries(missing.map((id) => [id, crypto.randomUUID()])) };
}

/** Gives each command its ids, once for all its attempts: what is sent again is the same command. */
export function idLink(): TRPCLink<AppRouter> {
  return () =>
    ({ op, next }) =>
      next({ ...op, input: withIds(op.path, op.input) });
}
