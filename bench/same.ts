import { deepStrictEqual } from 'node:assert';
import { makeKey } from 'counterfoil/keys/secret';
import type { TicketRecord } from 'counterfoil/tickets/model';
import type { mongo } from 'mongoose';
import { connect, requestOf, succeed } from './connection.ts';
import type { Contestant } from './contestants.ts';
import { batchRequest, batchSize } from './load.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A value without what differs from one ticket to the next: ids and times. */
function alike(value: unknown, shortId: string): unknown {
  return JSON.parse(JSON.stringify(value), (_, part: unknown) => {
    if (part === shortId) return '<short id>';
    if (typeof part !== 'string') return part;
    return uuid.test(part) ? '<id>' : time.test(part) ? '<time>' : part;
  });
}

/** What a contestant answers to each kind of request, and what it has stored. */
async function behaviour(
  { name, port, batchedRead }: Contestant,
  key: string,
  tickets: mongo.Collection<TicketRecord>,
  known: string,
) {
  const connection = connect(port);
  const [discordId, otherId] = ['300000000000000001', '300000000000000002'];
  const claim = (shortId: string, by: string) => requestOf(key, 'POST', '/tickets/claim', { shortId, discordId: by });
  const statusOf = async (request: string) => (await connection.ask(request)).status;
  try {
    const read = await connection.ask(requestOf(key, 'GET', `/tickets/get/id/${known}`));
    if (batchedRead !== null) {
      const request = batchRequest(
        key,
        batchedRead,
        Array.from({ length: batchSize }, () => known),
      );
      const expected = { result: { data: JSON.parse(read.body) } };
      deepStrictEqual(
        await succeed(connection, request),
        Array.from({ length: batchSize }, () => expected),
        `${name} answers a batch of reads otherwise than a read`,
      );
    }
    // The same guild for all: its numbers go on, and are taken out below.
    const input = {
      ticketType: 'support',
      guildId: '700000000000000001',
      ticketOwner: '200000000000000001',
      ticketData: '{"topic":"Où est ma commande?","order":1042}',
    };
    const created = await succeed(connection, requestOf(key, 'POST', '/tickets/create', input));
    const { ticketShortId: shortId, ticketNumber, ticketName } = created.ticket;
    const asCreated = await tickets.findOne({ shortId });
    const claimed = await succeed(connection, claim(shortId, discordId));
    const again = await succeed(connection, claim(shortId, discordId));
    const asClaimed = await tickets.findOne({ shortId });
    const text = JSON.stringify(alike({ created, asCreated, claimed, again, asClaimed }, shortId));
    const numberless = text
      .replaceAll(ticketName, '<name>')
      .replaceAll(`"${String(ticketNumber).padStart(4, '0')}"`, '"<number>"')
      .replaceAll(`"ticketNumber":${ticketNumber}`, '"ticketNumber":"<number>"');
    return {
      read,
      ...JSON.parse(numberless),
      statuses: {
        claimedByAnother: await statusOf(claim(shortId, otherId)),
        unknownTicket: await statusOf(requestOf(key, 'GET', '/tickets/get/id/nosuchid')),
        claimOfUnknown: await statusOf(claim('nosuchid', discordId)),
        unknownKey: await statusOf(requestOf(makeKey().key, 'GET', `/tickets/get/id/${known}`)),
      },
    };
  } finally {
    connection.close();
  }
}

/** Throws, and shows the difference, unless all contestants answer and store the same, apart from ids and times. */
export async function requireSame(
  contestants: Contestant[],
  key: string,
  tickets: mongo.Collection<TicketRecord>,
  known: string,
): Promise<void> {
  const [first, ...others] = contestants;
  if (!first) return;
  const expected = await behaviour(first, key, tickets, known);
  for (const other of others) {
    const actual = await behaviour(other, key, tickets, known);
    try {
      deepStrictEqual(actual, expected);
    } catch (difference) {
      throw new Error(`${other.name} is not the same as ${first.name}`, { cause: difference });
    }
  }
}
