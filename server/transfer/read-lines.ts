/** A line of a file by its number, as text or with what keeps it from being one. */
export interface Line {
  number: number;
  text: string;
  problem: string | null;
}

/** Bytes of a line, at most: a file without ends of lines must not fill the memory. */
const maxBytes = 256 * 1024 * 1024;

const newline = 10;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The lines of a stream of bytes, one at a time; blank ones are counted and left out. */
export async function* readLines(source: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let number = 1;
  let parts: Buffer[] = [];
  let length = 0;

  const add = (part: Buffer) => {
    length += part.length;
    if (length > maxBytes) parts = [];
    else parts.push(part);
  };
  const take = (): Line => {
    const line = length > maxBytes ? { text: '', problem: `Longer than ${maxBytes} bytes` } : decode(parts);
    parts = [];
    length = 0;
    return { number: number++, ...line };
  };

  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      const line = take();
      if (line.problem !== null || line.text.trim() !== '') yield line;
    }
    add(chunk.subarray(start));
  }
  const line = take();
  if (line.problem !== null || line.text.trim() !== '') yield line;
}

function decode(parts: Buffer[]): Omit<Line, 'number'> {
  try {
    return { text: utf8.decode(Buffer.concat(parts)), problem: null };
  } catch {
    return { text: '', problem: 'Not valid UTF-8' };
  }
}
