import type { IncomingMessage } from 'node:http';
import { limits } from '@counterfoil/shared/primitives';
import { BodyTooLarge, DomainError, InvalidJson, RequestTimeout, UnsupportedMediaType } from '../errors.ts';

const json = /^application\/json[\t ]*(;|$)/i;
const foreignCharset = /;[\t ]*charset=(?!"?utf-?8"?[\t ]*(;|$))/i;

function requireJson(req: IncomingMessage): void {
  const type = req.headers['content-type'] ?? '';
  const encoding = req.headers['content-encoding'] ?? 'identity';
  if (!json.test(type) || foreignCharset.test(type) || encoding.toLowerCase() !== 'identity') {
    throw new UnsupportedMediaType();
  }
}

async function readBytes(req: IncomingMessage): Promise<Buffer> {
  if (Number(req.headers['content-length'] ?? 0) > limits.bodyBytes) throw new BodyTooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    // Not destroyed on the way out: the answer still has to go through the same socket.
    for await (const chunk of req.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limits.bodyBytes) throw new BodyTooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    // A caller that is cut off while it sends may never see the answer: what is left is read and dropped.
    req.resume();
    // The stream itself fails only where the caller or the time-out ended the connection.
    throw error instanceof DomainError ? error : new RequestTimeout();
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new InvalidJson('it is not UTF-8');
  }
}

/**
 * Reads a JSON body of at most 256 KiB: its text, and its value.
 * Throws UnsupportedMediaType, BodyTooLarge or InvalidJson.
 */
export async function readJson(req: IncomingMessage): Promise<{ text: string; value: unknown }> {
  requireJson(req);
  const text = decode(await readBytes(req));
  if (text.trim() === '') throw new InvalidJson('it is empty');
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    throw new InvalidJson('it could not be parsed');
  }
}
