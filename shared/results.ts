import { z } from 'zod';

/** The answer of a command that leaves nothing to show. */
export const Deleted = z
  .object({ changed: z.boolean().meta({ description: 'False where there was nothing to delete.' }) })
  .meta({ id: 'Deleted', examples: [{ changed: true }] });

/** The answer of an erasure: a large one takes several calls. */
export const Erased = z
  .object({
    changed: z.boolean().meta({ description: 'False where this call found nothing to erase.' }),
    done: z.boolean().meta({ description: 'False where more is left: call again, it goes on.' }),
    tickets: z.int().meta({ description: 'Tickets that this call has erased, or erased somebody from.' }),
  })
  .meta({ id: 'Erased', examples: [{ changed: true, done: true, tickets: 12 }] });
export type Erased = z.output<typeof Erased>;
