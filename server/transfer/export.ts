import mongoose, { type mongo } from 'mongoose';
import { nowAndThen, StartupError } from '../startup-error.ts';
import { firstLine } from './export-file.ts';
import { kinds } from './kinds.ts';
import { inOrder, type Scope } from './lines.ts';

/** What an export holds, and the last line of it that is there already. */
export interface ExportOptions {
  guildId: string | null;
  snapshot: boolean;
  after: string | null;
  report(line: string): void;
}

/** UTF-16 units that are handed on at once. */
const chunkLength = 64 * 1024;

/** The lines of an export behind `after`, some at a time, as fast as they are taken. */
export async function* exportChunks(options: ExportOptions): AsyncGenerator<string> {
  const session = options.snapshot ? mongoose.connection.getClient().startSession({ snapshot: true }) : null;
  let chunk = '';
  let count = 0;
  const progress = nowAndThen(options.report);
  try {
    for await (const line of lines(options, session)) {
      count += 1;
      chunk += `${JSON.stringify(line)}\n`;
      if (chunk.length >= chunkLength) {
        yield chunk;
        chunk = '';
      }
      progress(`${count} lines`);
    }
    yield chunk;
    options.report(`Exported ${count} lines.`);
  } finally {
    await session?.endSession();
  }
}

async function* lines({ guildId, after }: ExportOptions, session: mongo.ClientSession | null): AsyncGenerator<object> {
  const scope: Scope = { guildId, session };
  const last = after === null ? null : lastOf(after);
  if (last === null) yield firstLine(guildId);
  if (last?.kind === 'end') throw new StartupError('badConfiguration', '--resume: this export is complete.');
  const names = [...kinds.keys()];
  for (const [name, { schema, lines: linesOf }] of [...kinds].slice(Math.max(0, names.indexOf(last?.kind)))) {
    const position = last?.kind === name ? schema.parse(last) : null;
    for await (const line of linesOf(scope, position)) yield inOrder(line, Object.keys(schema.shape));
  }
  yield { kind: 'end' };
}

/** The last line of a file; throws a StartupError where it is none of an export. */
function lastOf(text: string) {
  try {
    const line = JSON.parse(text);
    if (['export', 'end'].includes(line.kind) || kinds.get(line.kind)?.schema.parse(line)) return line;
  } catch {}
  throw new StartupError('badConfiguration', '--resume: the last whole line of the file is not one of an export.');
}
