import { createClient } from '@counterfoil/client';

/** The value of an environment variable; ends the bot with a plain word where it is missing. */
export function required(name: string): string {
  const value = process.env[name];
  if (value) return value;
  console.error(`${name} is missing: the README says where it comes from.`);
  process.exit(2);
}

/** The one place where all tickets are kept: the bot itself remembers nothing. */
export const counterfoil = createClient({
  url: required('COUNTERFOIL_URL'),
  key: required('COUNTERFOIL_KEY'),
  // Some 20 seconds: people rather wait for a restart of the service than press again.
  retries: 8,
});
