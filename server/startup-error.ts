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

/** Writes a line for the operator, to standard error: standard output is the log's or the export's alone. */
export function report(line: string): void {
  // What a line quotes must not steer the terminal.
  process.stderr.write(`${line.replace(/(?![\n\t])\p{Cc}/gu, '?')}\n`);
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
  if (error instanceof StartupError || isSystemError(error)) return error.message;
  if (error instanceof mongo.MongoError) return `The database failed: ${redact(error.message)}. Run the command again.`;
  return String(error instanceof Error ? error.stack : error);
}
