import { pino } from 'pino';

/** Takes passwords of connection strings and keys out of a text. */
export function redact(text: string): string {
  return text
    .replace(/(mongodb(?:\+srv)?:\/\/).*@/gi, '$1[redacted]@')
    .replace(/cfl_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}/g, '[redacted]');
}

/** What the log says of an error. A driver's other fields stay out: they can hold what callers wrote into tickets. */
function describe(error: unknown, depth = 0): object {
  if (!(error instanceof Error)) return { message: redact(String(error)) };
  const { name, message, stack = '', cause } = error;
  return {
    type: name,
    ...('code' in error && { code: error.code }),
    message: redact(message),
    stack: redact(stack),
    ...(cause !== undefined && depth < 5 && { cause: describe(cause, depth + 1) }),
  };
}

export type Logger = ReturnType<typeof createLogger>;

/** Standard output, written to in parts: of 4 KiB, or what there is after 100 ms and at the end of the process. */
function standardOutput(): pino.DestinationStream {
  const output = pino.destination({ dest: 1, sync: true, minLength: 4096, periodicFlush: 100 });
  // Not flushSync(), which tries for ever where nobody reads any more.
  process.once('exit', () => output.flush());
  return output;
}

/** The log: a line of JSON each, on standard output where no other destination is named. */
export function createLogger(level: string, destination?: pino.DestinationStream) {
  const timestamp = () => `,"time":"${new Date().toISOString()}"`;
  const options = { level, serializers: { err: (error: unknown) => describe(error) }, base: null, timestamp };
  return pino(options, destination ?? standardOutput());
}
