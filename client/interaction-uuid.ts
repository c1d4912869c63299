import { Snowflake } from '@counterfoil/shared/primitives';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/**
 * The id of what a Discord interaction does, for `ticketId` or `commandId`: a UUIDv4 that follows from the interaction's id, so that
 * a bot that handles the interaction once more, also after a restart, repeats the same command. `purpose` tells apart what one
 * interaction does, such as `create` and `claim`. Throws a TypeError where the interaction's id is not a Discord id.
 */
export function interactionUuid(interactionId: string, purpose = ''): string {
  const { error } = Snowflake.safeParse(interactionId);
  if (error) throw new TypeError(`interactionId: ${error.issues[0]?.message}.`);
  const bytes = sha256(utf8ToBytes(`counterfoil:${interactionId}:${purpose}`)).slice(0, 16);
  const view = new DataView(bytes.buffer);
  // The version 4 and the variant of RFC 9562.
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x40);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  return bytesToHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
