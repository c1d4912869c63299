import type { TicketFields } from './model.ts';

/** The fields whose words a search finds. */
export const searchedFields = ['ticketName', 'closeReason', 'ticketData'] as const;
type SearchedField = (typeof searchedFields)[number];
export type Words = Record<SearchedField, string[]>;

/** UTF-16 units of one word, and bytes of the texts in `ticketData`, that are looked at. */
const wordLength = 64;
const dataBytes = 2048;

/**
 * The different words of a text, as search compares them: runs of letters and digits, without case, width and Latin
 * accents. A script without spaces gives one word from one punctuation mark or space to the next.
 */
export function wordsOf(text: string): string[] {
  const folded = text.normalize('NFKD').replace(/[\u0300-\u036f]/g, '');
  const words = folded
    .normalize('NFKC')
    .toLowerCase()
    .match(/[\p{L}\p{M}\p{N}]+/gu);
  return [...new Set(words?.map((word) => word.slice(0, wordLength)))];
}

/** The texts among the values of a JSON text, one a line, in their order, up to 2 KiB of UTF-8. */
function textsOf(json: string): string {
  const texts: string[] = [];
  JSON.parse(json, (_key, value) => void (typeof value === 'string' && texts.push(value)));
  return Buffer.from(texts.join('\n')).subarray(0, dataBytes).toString();
}

/** The words of one searched field of a ticket, none where it is not set. */
export function wordsOfField(field: SearchedField, value: string | null): string[] {
  if (value === null) return [];
  return wordsOf(field === 'ticketData' ? textsOf(value) : value);
}

/** What a ticket is found by: the words of each searched field, and all of them together. */
export function searchFields(ticket: Pick<TicketFields, SearchedField>): { words: Words; searchWords: string[] } {
  const entries = searchedFields.map((field) => [field, wordsOfField(field, ticket[field])] as const);
  return {
    words: Object.fromEntries(entries) as Words,
    searchWords: [...new Set(entries.flatMap(([, words]) => words))],
  };
}
