import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ExportLine, transferFormat } from '@counterfoil/shared/transfer';
import { StartupError } from '../startup-error.ts';

/** The first line of an export. */
export function firstLine(guildId: string | null): object {
  return { kind: 'export', format: transferFormat, guildId };
}

const newline = 10;
const blockSize = 64 * 1024;

/** Opens the file of an export: a new one, for its owner's eyes only. Throws a StartupError where there is one already. */
export async function newExportFile(path: string): Promise<FileHandle> {
  return open(path, 'ax', 0o600).catch((error: NodeJS.ErrnoException) => {
    const advice = error.code === 'EEXIST' ? 'It is there already: give --resume to go on with it' : error.message;
    throw new StartupError('badConfiguration', `--output ${path}: ${advice}.`);
  });
}

/**
 * Opens the file of an export that was broken off, without the line that was not finished; answers its last line, null
 * where there is none. Throws a StartupError where it is not an export of this guild.
 */
export async function resumeExportFile(
  path: string,
  guildId: string | null,
): Promise<{ file: FileHandle; after: string | null }> {
  const refuse = (why: string) => new StartupError('badConfiguration', `--resume ${path}: ${why}.`);
  const file = await open(path, constants.O_RDWR | constants.O_APPEND).catch((error: NodeJS.ErrnoException) => {
    throw refuse(error.message);
  });
  try {
    const { size } = await file.stat();
    const end = (await lastNewline(file, size)) + 1;
    const begun = await readText(file, 0, Math.min(size, blockSize));
    // The first line itself may have been broken off.
    if (!JSON.stringify(firstLine(guildId)).startsWith(begun)) {
      const { success, data } = ExportLine.safeParse(parse(begun));
      if (!success) throw refuse('it does not begin as an export does');
      if (data.guildId !== guildId) throw refuse(`it is the export of ${data.guildId ?? 'all guilds'}`);
    }
    await file.truncate(end);
    if (end === 0) return { file, after: null };
    const start = (await lastNewline(file, end - 1)) + 1;
    return { file, after: await readText(file, start, end - 1) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.split('\n')[0] ?? '');
  } catch {
    return null;
  }
}

async function readText(file: FileHandle, start: number, end: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
  return buffer.toString('utf8', 0, bytesRead);
}

/** Where the last end of a line before `end` is; -1 where there is none. */
async function lastNewline(file: FileHandle, end: number): Promise<number> {
  const buffer = Buffer.alloc(blockSize);
  for (let stop = end; stop > 0; ) {
    const start = Math.max(0, stop - blockSize);
    const { bytesRead } = await file.read(buffer, 0, stop - start, start);
    const found = buffer.subarray(0, bytesRead).lastIndexOf(newline);
    if (found !== -1) return start + found;
    stop = start;
  }
  return -1;
}
