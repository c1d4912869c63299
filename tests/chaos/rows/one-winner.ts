import { randomUUID } from 'node:crypto';
import { snowflake } from '../../snowflake.ts';
import { wholeCluster } from '../cluster.ts';
import { byTicket, figuresOf, forbiddenAnswers } from '../history.ts';
import { runLoad } from '../loads.ts';
import type { Row } from '../row.ts';
import { startServices } from '../services.ts';

const clients = 64;

export const row: Row = {
  name: 'one-winner',
  promise: 'Of any number of simultaneous claims one wins, and the others learn who did',
  experiment: '64 clients claim the same ticket at once through two processes, for each of 500 tickets',
  async run(scale) {
    const tickets = Array.from({ length: scale === 'full' ? 500 : 30 }, () => randomUUID());
    const cluster = await wholeCluster();
    await using services = await startServices(cluster.uri(`one-winner-${Date.now()}`));
    const create = services.client({ batch: true }).tickets.create;
    const guildId = snowflake();
    for (const ticketShortId of tickets) {
      await create.mutate({ ticketShortId, ticketType: 'support', guildId, ticketOwner: snowflake() });
    }
    const history = await runLoad({ load: 'races', urls: services.urls, clients, tickets }, services.key);
    const problems = forbiddenAnswers(history);
    let wins = 0;
    let refusals = 0;
    for (const [ticket, calls] of byTicket(history.calls)) {
      const winners = calls.filter(({ outcome }) => outcome === 'ok');
      const refused = calls.filter(({ outcome }) => outcome === 'ticket_already_claimed');
      const rightlyNamed = refused.filter(({ answer }) => answer.claimedBy === winners[0]?.input.discordId);
      wins += winners.length;
      refusals += rightlyNamed.length;
      if (winners.length !== 1 || rightlyNamed.length !== clients - 1) {
        problems.push(
          `ticket ${ticket}: ${winners.length} won, ${refused.length} were refused, ${rightlyNamed.length} told who won`,
        );
      }
    }
    if (wins !== tickets.length) problems.push(`${tickets.length} tickets had ${wins} winners`);
    const figures = { wins, 'answers of 409 that name the winner': refusals, ...figuresOf(history) };
    return { passed: problems.length === 0, problems, figures };
  },
};
