/** Exit codes of the server process; the README's table "When it does not start" explains each. */
export const exitCodes = {
  badConfiguration: 2,
  portInUse: 3,
  databaseUnreachable: 4,
  standaloneDatabase: 5,
  dataFolderInUse: 6,
  mongodNotFound: 7,
  mongodFailed: 8,
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
