#!/usr/bin/env node
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GuildId } from '@counterfoil/shared/primitives';
import { Command, InvalidArgumentError } from 'commander';
import { readConfig } from './config.ts';
import { migrate, prepareDatabase } from './database/migrate.ts';
import { whichDatabase, withDatabase } from './database/open.ts';
import { addKeysCommand } from './keys/cli.ts';
import { exitCodes, report, runToEnd, StartupError } from './startup-error.ts';
import { exportChunks } from './transfer/export.ts';
import { newExportFile, resumeExportFile } from './transfer/export-file.ts';
import { importLines } from './transfer/import.ts';

/** Migrates. An embedded database that a service runs is of that service's version, and is not changed beneath it. */
function migrateDatabase({ again }: { again?: true }): Promise<number> {
  return withDatabase(readConfig(), false, async ({ shared }) => {
    if (shared) await prepareDatabase({ mayMigrate: false, report });
    else if ((await migrate(report, again === true)).length > 0) return 0;
    report('The database is up to date: nothing to migrate.');
    return 0;
  });
}

interface ExportChoice {
  guild?: string;
  output?: string;
  resume?: true;
  snapshot?: true;
}

function exportDatabase({ guild, output, resume, snapshot }: ExportChoice): Promise<number> {
  const scope = { guildId: guild ?? null, snapshot: snapshot === true, report };
  return withDatabase(readConfig(), false, async ({ ours }) => {
    await prepareDatabase({ mayMigrate: ours, report });
    if (output === undefined) {
      const chunks = exportChunks({ ...scope, after: null });
      await pipeline(Readable.from(chunks), process.stdout, { end: false });
      return 0;
    }
    const { file, after } = resume
      ? await resumeExportFile(output, scope.guildId)
      : { file: await newExportFile(output), after: null };
    try {
      for await (const chunk of exportChunks({ ...scope, after })) await file.appendFile(chunk);
      await file.sync();
    } finally {
      await file.close();
    }
    return 0;
  });
}

async function importFile(path = '-'): Promise<number> {
  const source = path === '-' ? process.stdin : (await openFile(path)).createReadStream();
  return withDatabase(readConfig(), true, async ({ ours }) => {
    await prepareDatabase({ mayMigrate: ours, report });
    const { refused, brokenOff } = await importLines(source, report);
    return refused > 0 || brokenOff ? 1 : 0;
  });
}

async function openFile(path: string): Promise<FileHandle> {
  return open(path).catch((error: Error) => {
    throw new StartupError('badConfiguration', `The file cannot be read: ${error.message}.`);
  });
}

function snowflake(text: string): string {
  const { data, error } = GuildId.safeParse(text);
  if (error) throw new InvalidArgumentError(error.issues[0]?.message ?? '');
  return data;
}

const program = new Command('counterfoil')
  .description('The ticket service for Discord bots.')
  .showHelpAfterError('(add --help for what there is)')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : exitCodes.badConfiguration))
  .addHelpText('after', '\nThe README says what each variable of the environment means, and each exit code.');

program
  .command('serve')
  .description('run the service, as npm start does')
  .addHelpText(
    'after',
    `
Its settings are the variables of the environment in the README, such as PORT and MONGODB_URI. Without MONGODB_URI it runs
a database of its own in DATA_DIR, which is ${readConfig({}).dataDir} where it is not set.`,
  )
  .action(async () => {
    // main.ts is the program that serves: importing it runs it.
    await import('./main.ts');
  });

program
  .command('migrate')
  .description('bring the stored data up to this version')
  .option('-a, --again', 'run every step again, for what an older version has written since')
  .addHelpText(
    'after',
    `
Make a backup and stop every process of the older version first. Broken off, it goes on where it was when it is run
again; where nothing is to do, it does nothing. An embedded database is also migrated by each start.
${whichDatabase}`,
  )
  .action((choice: { again?: true }) => runToEnd(migrateDatabase(choice)));

program
  .command('export')
  .description('write everything that is stored, or a guild, as lines of JSON')
  .option(
    '-g, --guild <id>',
    'only this guild; of the users, those who own or have claimed one of its tickets',
    snowflake,
  )
  .option('-o, --output <file>', 'write to this new file instead of standard output')
  .option('-r, --resume', 'go on with the file of --output behind its last whole line')
  .option('-s, --snapshot', 'everything as it is at one time; cannot be resumed')
  .addHelpText(
    'after',
    `
The service may run meanwhile. Each ticket is consistent in itself, with its whole history and notes; with --snapshot all
are of one time. A snapshot has to end within the history that MongoDB keeps: five minutes, unless its parameter
minSnapshotHistoryWindowInSeconds says more. Keys are never exported. Progress goes to standard error.
${whichDatabase}`,
  )
  .action((choice: ExportChoice, command: Command) => {
    if (choice.resume && choice.output === undefined) command.error('error: --resume needs --output');
    if (choice.resume && choice.snapshot) command.error('error: --resume cannot go with --snapshot');
    runToEnd(exportDatabase(choice));
  });

program
  .command('import')
  .description('read what export writes, or old tickets of your bot in that form')
  .argument('[file]', 'the lines of JSON; without it, or as -, standard input')
  .addHelpText(
    'after',
    `
What is there already stays as it is, so that importing again is safe, also after a break. A line that cannot go in is
reported with its number and the others go in; the exit code is then 1, as it is where an export has no last line. Ticket
numbers that come next are raised. Limits, cooldowns and blocks are not asked.
The README says what a line needs. The service may run meanwhile.
${whichDatabase}`,
  )
  .action((path: string | undefined) => runToEnd(importFile(path)));

addKeysCommand(program);

program
  .command('doctor')
  .description('look at configuration, database, indexes, migrations, clock and keys, and say what to mend')
  .option('--json', 'as JSON: {ok, checks: [{check, status, message}]}')
  .addHelpText(
    'after',
    `
A line for each check: ok, a warning, or a problem. It changes nothing, and the service may run meanwhile. The exit code is
1 where there is a problem.
${whichDatabase}`,
  )
  .action(async (choice: { json?: true }) => {
    // It knows every model and so the whole service, which the other commands need not load.
    const { doctor } = await import('./operations/doctor.ts');
    runToEnd(doctor(choice));
  });

if (process.argv.length <= 2) {
  program.error('error: a command is missing: serve, migrate, export, import, keys or doctor');
}
await program.parseAsync();
