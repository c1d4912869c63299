/** Loaded before a service, sets its clock off by the milliseconds that stand in a file, read anew at each SIGUSR2. */
import { readFileSync } from 'node:fs';

const Real = Date;
let offset = 0;
process.on('SIGUSR2', () => {
  offset = Number(readFileSync(process.env.CHAOS_CLOCK ?? '', 'utf8'));
});

const now = () => Real.now() + offset;
globalThis.Date = new Proxy(Real, {
  construct: (target, args, self) => Reflect.construct(target, args.length > 0 ? args : [now()], self),
  apply: () => new Real(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});
