import { mongo } from 'mongoose';
import { snowflake } from '../../snowflake.ts';
import { wholeCluster } from '../cluster.ts';
import { byTicket, figuresOf, forbiddenAnswers } from '../history.ts';
import { runLoad } from '../loads.ts';
import type { Row } from '../row.ts';
import { startServices } from '../services.ts';

export const row: Row = {
  name: 'limits-hold',
  promise: 'A limit of open tickets holds, however many come at once',
  experiment: '100 simultaneous creates through two processes at a limit of one, for each of 50 owners',
  async run(scale) {
    const owners = scale === 'full' ? 50 : 4;
    const cluster = await wholeCluster();
    const uri = cluster.uri(`limits-hold-${Date.now()}`);
    await using services = await startServices(uri);
    const guildId = snowflake();
    const { channels } = services.client();
    await channels.create.mutate({ ticketType: 'support', guildId, channelId: snowflake() });
    await channels.update.mutate({ ticketType: 'support', guildId, maxOpenPerOwner: 1 });
    const plan = { load: 'rushes', urls: services.urls, clients: 100, count: owners, guildId } as const;
    const history = await runLoad(plan, services.key);
    const problems = forbiddenAnswers(history);
    const refused = history.calls.filter(({ outcome }) => outcome === 'owner_limit_reached').length;
    for (const [owner, calls] of byTicket(history.calls)) {
      const created = calls.filter(({ outcome }) => outcome === 'ok').length;
      if (created !== 1) problems.push(`${created} creates of owner ${owner} were acknowledged`);
    }
    const client = new mongo.MongoClient(uri, { readConcernLevel: 'majority' });
    const tickets = await client.db().collection('tickets').countDocuments({ closed: false });
    await client.close();
    if (tickets !== owners) problems.push(`${owners} owners have ${tickets} open tickets`);
    const figures = { owners, 'open tickets': tickets, 'refused by the limit': refused, ...figuresOf(history) };
    return { passed: problems.length === 0, problems, figures };
  },
};
