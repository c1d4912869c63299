/**
 * Reads every page of a list, one after the other: `read` calls the list with the cursor of a page, undefined for the first.
 *
 * ```ts
 * for await (const { tickets } of pages((cursor) => counterfoil.tickets.list.query({ guildId, cursor }))) …
 * ```
 */
export async function* pages<Page extends { nextCursor: string | null }>(
  read: (cursor: string | undefined) => Promise<Page>,
): AsyncGenerator<Page, void, undefined> {
  let cursor: string | null | undefined;
  do {
    const page: Page = await read(cursor ?? undefined);
    yield page;
    cursor = page.nextCursor;
    // Whoever answers without a cursor has no further page.
  } while (cursor);
}
