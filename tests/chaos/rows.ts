import type { Row } from './row.ts';

/** Every experiment, in the order in which they are run and shown. */
export const rows: Row[] = [];
