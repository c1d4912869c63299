import { randomUUID } from 'node:crypto';
import type { ErrorType, Issue } from '@counterfoil/shared/errors';
import { CreateKey, type Key, RevokeKey, RotateKey, scopes } from '@counterfoil/shared/keys';
import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { readConfig } from '../config.ts';
import { prepareDatabase } from '../database/migrate.ts';
import { whichDatabase, withDatabase } from '../database/open.ts';
import { Internal, issuesOf, toDomainError } from '../errors.ts';
import type { AppRouter } from '../router.ts';
import { CommandFailed, harmless, print, report, runToEnd, StartupError } from '../startup-error.ts';
import { commandLine } from './authenticate.ts';

/** Milliseconds that a server gets to answer. */
const answerWait = 30_000;

type Keys = Pick<ReturnType<AppRouter['createCaller']>['keys'], 'create' | 'list' | 'rotate' | 'revoke'>;

/** Where the keys are, and how they are shown. */
interface Choice {
  server?: string;
  json?: true;
}

/** The option or argument of each field of the procedures' inputs. */
const optionOf: Record<string, string> = {
  name: '--name',
  scope: '--scope',
  guildIds: '--guild',
  expiresAt: '--expires',
  rateLimit: '--rate-limit',
  keyId: '<keyId>',
  overlapHours: '--overlap-hours',
};

function byOption(issues: readonly Issue[]): string {
  return issues
    .map(
      ({ path, message }) => `${optionOf[path.replace(/\..*/, '')] ?? path}: ${message.replace('guildIds', '--guild')}`,
    )
    .join('; ');
}

/** The input of a procedure, once its schema accepts it; else the command ends and names the options. */
function checked<Schema extends z.ZodType>(command: Command, schema: Schema, input: object): z.input<Schema> {
  const { error } = schema.safeParse(input);
  if (error) command.error(`error: ${byOption(issuesOf(error))}`);
  return input as z.input<Schema>;
}

/** Works with the keys of a running server, or with those of the database itself; throws CommandFailed or StartupError. */
async function withKeys({ server }: Choice, use: (keys: Keys) => Promise<void>): Promise<number> {
  const config = readConfig();
  if (server !== undefined) {
    if (config.key === undefined) {
      throw new StartupError('badConfiguration', '--server needs an admin key of that server in COUNTERFOIL_KEY.');
    }
    await use(keysOfServer(server, config.key));
    return 0;
  }
  return withDatabase(config, false, async ({ ours }) => {
    await prepareDatabase({ mayMigrate: ours, report });
    const { appRouter } = await import('../router.ts');
    await use(appRouter.createCaller({ requestId: randomUUID(), key: commandLine }).keys).catch(explainRefusal);
    return 0;
  });
}

function keysOfServer(server: string, key: string): Keys {
  const { keys } = createTRPCClient<AppRouter>({
    links: [
      httpLink({
        url: `${server}/trpc`,
        headers: { authorization: `Bearer ${key}` },
        // The key is for this server alone.
        fetch: (url, init) =>
          fetch(url, { ...(init as RequestInit), redirect: 'error', signal: AbortSignal.timeout(answerWait) }),
      }),
    ],
  });
  const explain = (error: unknown) => explainAnswer(server, error);
  return {
    create: (input) => keys.create.mutate(input).catch(explain),
    list: (input) => keys.list.query(input).catch(explain),
    rotate: (input) => keys.rotate.mutate(input).catch(explain),
    revoke: (input) => keys.revoke.mutate(input).catch(explain),
  };
}

const lookFirst = 'It may have been done all the same: look at "counterfoil keys list" before you try again.';

function refusal({ type, message, issues }: { type: ErrorType; message: string; issues?: Issue[] | undefined }) {
  if (type === 'validation_failed' && issues) return new CommandFailed(`Refused: ${byOption(issues)}`);
  // Neither a new key nor a new secret may be asked for again, as the message of other commands says.
  if (type === 'outcome_unknown') return new CommandFailed(`The database did not confirm it. ${lookFirst}`);
  return new CommandFailed(`Refused: ${message}`);
}

/** Throws what a procedure on the database itself has refused, in plain words, and every other error as it is. */
function explainRefusal(error: unknown): never {
  const domainError = toDomainError(error, 'mutation');
  throw domainError instanceof Internal ? domainError.cause : refusal(domainError);
}

/** Throws what a server has answered, or that it has not, in plain words. */
function explainAnswer(server: string, error: unknown): never {
  if (!(error instanceof TRPCClientError)) throw error;
  const { data, message, meta } = error as TRPCClientError<AppRouter>;
  if (data?.type === 'invalid_key') {
    throw new CommandFailed(`${server} does not accept the key in COUNTERFOIL_KEY.`);
  }
  if (data?.type) throw refusal({ ...data, message });
  const cause = innermost(error);
  if (meta?.response || cause instanceof SyntaxError) {
    throw new CommandFailed(`${server} does not answer as Counterfoil does. ${lookFirst}`);
  }
  const unsent = 'code' in cause && (cause.code === 'ECONNREFUSED' || cause.code === 'ENOTFOUND');
  throw new CommandFailed(`${server} did not answer: ${cause.message}.${unsent ? '' : ` ${lookFirst}`}`);
}

function innermost(error: Error): Error {
  return error.cause instanceof Error ? innermost(error.cause) : error;
}

const guildsOf = ({ guildIds }: Key) => (guildIds === null ? 'all guilds' : `guilds ${guildIds.join(', ')}`);

/** Shows a key in words on standard error, and its secret alone on standard output, for `$(…)` and pipes. */
async function showSecret(result: { key: Key; secret: string }, { json }: Choice, words: string): Promise<void> {
  if (json) return print(JSON.stringify(result));
  report(`${words}\nIts secret, shown this once:`);
  await print(result.secret);
}

const minutes = (time: string) => `${time.slice(0, 10)} ${time.slice(11, 16)}`;

function endOf({ revokedAt, expiresAt }: Key): string {
  if (revokedAt !== null) return `revoked ${minutes(revokedAt)}`;
  if (expiresAt === null) return 'never';
  return new Date(expiresAt) > new Date() ? minutes(expiresAt) : `ended ${minutes(expiresAt)}`;
}

function row(key: Key): string[] {
  const [first = '', ...others] = key.guildIds ?? ['all'];
  return [
    key.keyId,
    harmless(key.name),
    key.scope,
    others.length > 0 ? `${first} +${others.length}` : first,
    key.rateLimit === null ? '-' : `${key.rateLimit}/s`,
    minutes(key.createdAt),
    key.lastUsedAt === null ? 'never' : minutes(key.lastUsedAt),
    endOf(key),
  ];
}

function table(keys: readonly Key[]): string {
  const rows = [['KEY', 'NAME', 'SCOPE', 'GUILDS', 'LIMIT', 'CREATED', 'LAST USED', 'ENDS'], ...keys.map(row)];
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((cells) => (cells[column] ?? '').length)));
  return rows
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

interface CreateChoice extends Choice {
  name: string;
  scope: string;
  guild?: string[];
  expires?: string;
  rateLimit?: unknown;
}

function create(choice: CreateChoice, command: Command): void {
  const { name, scope, guild: guildIds, expires: expiresAt, rateLimit } = choice;
  const input = checked(command, CreateKey, { name, scope, guildIds, expiresAt, rateLimit });
  const work = withKeys(choice, async (keys) => {
    const result = await keys.create(input);
    const { key } = result;
    const end = key.expiresAt === null ? 'until it is revoked' : `until ${key.expiresAt}`;
    await showSecret(result, choice, `Key ${key.keyId} "${key.name}": ${key.scope}, ${guildsOf(key)}, ${end}.`);
  });
  runToEnd(work);
}

function list(choice: Choice): void {
  const work = withKeys(choice, async (keys) => {
    const result = await keys.list({});
    if (choice.json) await print(JSON.stringify(result));
    else await print(result.keys.length > 0 ? table(result.keys) : 'There are no keys.');
  });
  runToEnd(work);
}

function rotate(keyId: string, choice: Choice & { overlapHours?: unknown }, command: Command): void {
  const input = checked(command, RotateKey, { keyId, overlapHours: choice.overlapHours });
  const work = withKeys(choice, async (keys) => {
    const result = await keys.rotate(input);
    const { name } = result.key;
    const { overlapHours } = RotateKey.parse(input);
    const older = overlapHours === 0 ? 'the old one is no longer valid' : `the old one ends in ${overlapHours} h`;
    await showSecret(result, choice, `Key ${keyId} "${name}" has a new secret; ${older}.`);
  });
  runToEnd(work);
}

function revoke(keyId: string, choice: Choice, command: Command): void {
  const input = checked(command, RevokeKey, { keyId });
  const work = withKeys(choice, async (keys) => {
    const result = await keys.revoke(input);
    const { name, revokedAt } = result.key;
    const when = result.changed ? 'is revoked' : `was revoked before, at ${revokedAt}`;
    await print(choice.json ? JSON.stringify(result) : harmless(`Key ${keyId} "${name}" ${when}.`));
  });
  runToEnd(work);
}

/** The address of a server, without the slash at its end. */
function serverAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash) {
    throw new InvalidArgumentError('Expected the address of a server, such as http://127.0.0.1:4000.');
  }
  if (url.username || url.password) throw new InvalidArgumentError('The key belongs into COUNTERFOIL_KEY.');
  return url.href.replace(/\/+$/, '');
}

/** A whole number; any other text as it is, for the schema to refuse. */
function number(text: string): number | string {
  return /^[0-9]+$/.test(text) ? Number(text) : text;
}

const whichKeys = `
With --server it asks that running server, with the admin key in the variable COUNTERFOIL_KEY; a key is never an argument,
as arguments show in process lists. Without --server it works on the database itself and needs no key.
${whichDatabase}`;

/** Adds `counterfoil keys …` to the program. */
export function addKeysCommand(program: Command): void {
  const keys = program
    .command('keys')
    .description('make, list, rotate and revoke keys')
    .addHelpText(
      'after',
      `${whichKeys}

The way back in, where every admin key is lost: on the database itself,
  npx counterfoil keys create --name admin --scope admin`,
    );

  const subcommand = (name: string, description: string) =>
    keys
      .command(name)
      .description(description)
      .option('--server <url>', 'a running server, such as http://127.0.0.1:4000', serverAddress)
      .option('--json', 'the whole result as JSON')
      .addHelpText('after', whichKeys);

  subcommand('create', 'make a key; its secret is shown this once, alone on standard output')
    .requiredOption('--name <text>', 'what people know it by')
    .addOption(
      new Option('--scope <scope>', 'what it may do: each holds those before it').choices(scopes).makeOptionMandatory(),
    )
    .option('--guild <id>', 'a guild that it may see, may be given again; without, all', (id, ids: string[] = []) => [
      ...ids,
      id,
    ])
    .option('--expires <time>', 'when it ends, such as 2027-01-31T00:00:00Z; without, never')
    .option('--rate-limit <n>', "requests a second; without, the server's own limit", number)
    .action(create);

  subcommand('list', 'show the keys, newest first, with those that are revoked').action(list);

  subcommand('rotate', 'give a key a new secret, which is shown this once; the old one stays valid for a while')
    .argument('<keyId>', 'the eight characters after cfl_')
    .option('--overlap-hours <n>', 'hours for which the old secret stays valid, 0 to 168; without, 24', number)
    .action(rotate);

  subcommand('revoke', 'end a key for good, in every process within a second')
    .argument('<keyId>', 'the eight characters after cfl_')
    .action(revoke);
}
