import fc from 'fast-check';
import type { Command, CommandName } from './model.ts';

// Few values, so that the commands meet what others have done.
export const person = fc.constantFrom('100000000000000001', '100000000000000002', '100000000000000003');
export const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 2 });
const text = fc.constantFrom('$ne', 'two\nlines');
export const name = fc.constantFrom('one', 'two', 'three');
export const type = fc.constantFrom('support', 'billing');
export const data = fc.constantFrom('{"$a": 1}', '[]');
export const channel = fc.constantFrom('200000000000000001', '200000000000000002');

const updates = {
  ticketName: name,
  ticketType: type,
  ticketOwner: person,
  ticketData: fc.option(data),
  channelId: fc.option(channel),
  priority: fc.constantFrom('low', 'normal', 'high', 'urgent'),
  labels: fc.option(fc.shuffledSubarray(['a', '$b', 'c'])),
};
const oneUpdate = fc.oneof(
  ...Object.entries(updates).map(([field, value]) => value.map((given) => ({ [field]: given }))),
);
const someUpdates = fc.record(updates, { requiredKeys: [] }).filter((fields) => Object.keys(fields).length > 0);

const discordId = { discordId: person };
/** How often each command, and its input without what every command takes. */
const inputs: { [Name in CommandName]: { weight: number; input: fc.Arbitrary<object> } } = {
  // The ticket's content once more, or another one.
  create: { weight: 2, input: fc.oneof(fc.constant({}), fc.record({ ticketName: name, ticketType: type })) },
  claim: { weight: 4, input: fc.record(discordId) },
  unclaim: { weight: 3, input: fc.record({ discordId: maybe(person) }) },
  transfer: { weight: 3, input: fc.record(discordId) },
  close: { weight: 4, input: fc.record({ closedBy: maybe(person), reason: maybe(text) }) },
  reopen: { weight: 5, input: fc.constant({}) },
  update: { weight: 5, input: fc.oneof(oneUpdate, oneUpdate, someUpdates) },
  addParticipant: { weight: 3, input: fc.record(discordId) },
  removeParticipant: { weight: 3, input: fc.record(discordId) },
  rate: {
    weight: 4,
    input: fc.record({ ...discordId, rating: fc.constantFrom(1, 5), comment: maybe(text) }),
  },
};

export const commandNames = Object.keys(inputs);

/** A command as it is drawn. */
export const someCommand = fc.oneof(
  ...Object.entries(inputs).map(([commandName, { weight, input }]) => ({
    weight,
    arbitrary: input.map((given) => ({ name: commandName as CommandName, given })),
  })),
);

/** A command as JSON carries it: what is undefined is not there. The cast holds because its input is drawn by its name. */
export function withoutAbsent(drawn: { name: CommandName; input: object }): Command {
  return JSON.parse(JSON.stringify(drawn)) as Command;
}
