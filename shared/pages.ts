import { z } from 'zod';
import { expected, wholeNumber } from './primitives.ts';

export const exampleCursor =
  'WzE3OTU0MzUyMDAwMDAsIjliMmY0ZDUzLTZjMWUtNGE3ZC04ZjJiLTUxYzBlN2QzYTlmNCJd.dGhlIHNlYWwgb2YgaXQuLg';

/** What every list takes: how much at once, and where to go on. */
export const PageQuery = {
  limit: wholeNumber(1, 100)
    .meta({ description: 'How many at most.', examples: [25] })
    .default(25),
  cursor: z
    .string(expected('the nextCursor of the page before'))
    .regex(/^[\w-]{1,400}\.[\w-]{22}$/, { error: 'Expected the nextCursor of the page before, unchanged' })
    .meta({
      description: 'The `nextCursor` of the page before, with the same query otherwise.',
      examples: [exampleCursor],
    })
    .optional(),
};

/** Where every list goes on. */
export const NextCursor = z
  .string()
  .nullable()
  .meta({ description: 'The `cursor` of the next page; null at the end.' });
