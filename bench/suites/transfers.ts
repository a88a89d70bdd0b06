import { Client, Connection } from '@temporalio/client';
import { transfersV1 } from '../../src/catalog/transfers.ts';
import { withClient } from '../../test/servers/postgres.ts';
import { exactFigure, figureOf, median } from '../method/arithmetic.ts';
import type { Bench } from '../method/bench.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { foreignCell, inRounds, latenciesAt, rates, warmUp } from '../method/rounds.ts';

/** What a plain transfer took when it was an activity for each of its four steps. */
const first = { events: 33, tasks: 5, writes: 4 };

const counted = 20;

/** A plain transfer from its start to `completed`: how long that takes, and what it asks of Temporal and PostgreSQL. */
export async function transfers(bench: Bench): Promise<SuiteResult> {
  const all = await bench.peer('all');
  await openAccounts(bench, all.url);
  const one = { name: 'one', peer: all, kind: 'transfer', loop: { callers: 1, rampMs: 100, windowMs: 2_000 } };
  const many = { ...one, name: 'many', loop: { callers: 16, rampMs: 300, windowMs: 2_000 } };
  await warmUp([one], 2_000);
  const writesBefore = await writesSoFar(bench);
  const loop = { callers: 1, rampMs: 0, windowMs: 60_000, maxRequests: counted };
  const { requests } = await all.load('transfer', loop);
  const writes = ((await writesSoFar(bench)) - writesBefore) / requests;
  const { events, tasks } = await historiesOf(bench);
  const rounds = await inRounds([one, many], bench.rounds);
  const rows = [one, many].map(({ name, loop: { callers } }) => {
    const windows = rounds.get(name) ?? [];
    return [
      `${callers} at a time`,
      ...[0.5, 0.99].map((share) => cell(figureOf(latenciesAt(windows, share)), 1)),
      cell(figureOf(rates(windows)), 1),
      foreignCell(windows),
    ];
  });
  return {
    tables: [
      {
        title: `Transfers from start to end, role all, ${bench.temporal.name} server`,
        head: ['', 'p50 ms', 'p99 ms', 'a second', 'foreign CPU'],
        rows,
      },
      {
        title: 'What one transfer takes',
        head: ['', 'now', 'at first'],
        rows: [
          ['history events', String(events), String(first.events)],
          ['workflow tasks', String(tasks), String(first.tasks)],
          ['writing transactions', writes.toFixed(1), String(first.writes)],
        ],
      },
    ],
    figures: {
      '15-events': exactFigure(events / first.events),
      '15-tasks': exactFigure(tasks / first.tasks),
      '15-writes': exactFigure(Math.round(writes) / first.writes),
    },
  };
}

/** Only a transaction that writes gets a number. */
const writesSoFar = (bench: Bench): Promise<number> =>
  withClient(bench.deployment.databaseUrl, async (client) => {
    const { rows } = await client.query<{ next: string }>('select pg_snapshot_xmax(pg_current_snapshot()) as next');
    return Number(rows[0]?.next);
  });

async function historiesOf(bench: Bench): Promise<{ events: number; tasks: number }> {
  const connection = await Connection.connect({ address: bench.temporal.address });
  const client = new Client({ connection });
  const [events, tasks]: [number[], number[]] = [[], []];
  const query = `PorticoProcess = '${transfersV1.name}' AND ExecutionStatus = 'Completed'`;
  for await (const { workflowId } of client.workflow.list({ query, pageSize: counted })) {
    const history = await client.workflow.getHandle(workflowId).fetchHistory();
    events.push(history.events?.length ?? 0);
    tasks.push(history.events?.filter((event) => event.workflowTaskCompletedEventAttributes).length ?? 0);
    if (events.length === counted) break;
  }
  await connection.close();
  return { events: median(events), tasks: median(tasks) };
}

async function openAccounts({ token }: Bench, url: string): Promise<void> {
  for (const id of ['a', 'b']) {
    const response = await fetch(new URL(`/v1/accounts/${id}`, url), {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ currency: 'EUR', openingBalance: { minor: '1000000000' } }),
    });
    if (!response.ok) throw new Error(`the account was answered ${response.status}`);
  }
}
