import { mongo } from 'mongoose';
import { redact } from './operations/logger.ts';

/** Exit codes of the server process; the README's table "When it does not start" explains each. */
export const exitCodes = {
  badConfiguration: 2,
  portInUse: 3,
  databaseUnreachable: 4,
  standaloneDatabase: 5,
  dataFolderInUse: 6,
  mongodNotFound: 7,
  mongodFailed: 8,
  migrationNeeded: 9,
  databaseTooNew: 10,
} as const;

/** A reason not to start. Its message is shown to the operator as it is, so it says what to do. */
export class StartupError extends Error {
  readonly exitCode: number;

  constructor(reason: keyof typeof exitCodes, message: string) {
    super(message);
    this.name = 'StartupError';
    this.exitCode = exitCodes[reason];
  }
}

/** A command that was refused or failed, with exit code 1. Its message is shown as it is. */
export class CommandFailed extends Error {}

/** A text without what steers a terminal. */
export function harmless(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, '?');
}

/** Writes a line for the operator, to standard error: standard output is the log's or the result's alone. */
export function report(line: string): void {
  process.stderr.write(`${harmless(line)}\n`);
}

/** Writes what a command was asked for, to standard output; resolves when it is written. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${text}\n`, (error) => (error ? reject(error) : resolve()));
  });
}

/** Milliseconds between two signs of progress. */
const progressEvery = 2000;

/** Reports a line where the last one, or the beginning, is two seconds ago; leaves out the others. */
export function nowAndThen(tell: (line: string) => void): (line: string) => void {
  let toldAt = performance.now();
  return (line) => {
    if (performance.now() - toldAt < progressEvery) return;
    toldAt = performance.now();
    tell(line);
  };
}

/** Ends the process with the work: with its exit code, or that of the error, which is reported. */
export function runToEnd(work: Promise<number>): void {
  work.then(
    (code) => process.exit(code),
    (error: unknown) => {
      // Who reads the output has seen enough.
      if (isSystemError(error) && error.code === 'EPIPE') process.exit(0);
      report(describe(error));
      process.exit(error instanceof StartupError ? error.exitCode : 1);
    },
  );
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

function describe(error: unknown): string {
  if (error instanceof StartupError || error instanceof CommandFailed || isSystemError(error)) return error.message;
  if (error instanceof mongo.MongoError) return `The database failed: ${redact(error.message)}. Run the command again.`;
  return String(error instanceof Error ? error.stack : error);
}
