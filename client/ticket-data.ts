import { z } from 'zod';

/** The JSON value of a ticket's data, or a word on why there is none. */
function readJson(text: string | null): { value: unknown } | { problem: string } {
  try {
    return { value: text === null ? null : JSON.parse(text) };
  } catch {
    return { problem: 'Not valid JSON' };
  }
}

/**
 * Reads a ticket's `ticketData` with a schema of the bot's own; a ticket without data gives it null. Throws an Error that names
 * the ticket and each field that does not fit; its `cause` is what zod found. The schema must not be an asynchronous one.
 */
export function parseTicketData<Schema extends z.core.$ZodType>(
  ticket: { ticketData: string | null; ticketShortId?: string },
  schema: Schema,
): z.output<Schema> {
  const refuse = (problem: string, cause?: unknown) => {
    const name = ticket.ticketShortId === undefined ? '' : ` of ticket "${ticket.ticketShortId}"`;
    return new Error(`The ticketData${name} does not fit. ${problem}.`, { cause });
  };
  const json = readJson(ticket.ticketData);
  if ('problem' in json) throw refuse(json.problem);
  const { data, error } = z.safeParse(schema, json.value);
  if (!error) return data as z.output<Schema>;
  const fields = error.issues.map(({ path, message }) => `${['ticketData', ...path].join('.')}: ${message}`);
  throw refuse(fields.join('; '), error);
}
