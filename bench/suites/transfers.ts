import { withClient } from '../../test/servers/postgres.ts';
import { exactFigure, figureOf, median, ratioOf } from '../method/arithmetic.ts';
import { openAccounts } from '../method/ask.ts';
import type { Bench } from '../method/bench.ts';
import { completedHistories } from '../method/histories.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { type Contender, foreignCell, inRounds, latenciesAt, warmUp } from '../method/rounds.ts';

/** The ways of a transfer, with the workflow that takes each. */
const ways = [
  { name: 'all', label: 'step by step', workflow: 'transfers' },
  { name: 'at-once', label: 'by one commit', workflow: 'transfersAtOnce' },
] as const;

const counted = 20;

/**
 * A plain transfer from its start to `completed`, by both of its implementations: how long that takes, and what it asks of
 * Temporal and PostgreSQL. The workers of both processes share the work.
 */
export async function transfers(bench: Bench): Promise<SuiteResult> {
  const contenders: Contender[] = [];
  const counts = new Map<string, readonly [events: number, tasks: number, writes: number]>();
  for (const { name, workflow } of ways) {
    const peer = await bench.peer(name);
    if (contenders.length === 0) await openAccounts(bench, { url: peer.url, ids: ['a', 'b'] });
    const contender = { name, peer, kind: 'transfer', loop: { callers: 1, rampMs: 100, windowMs: 2_000 } };
    contenders.push(contender);
    await warmUp([contender], 2_000);
    const before = await writesSoFar(bench);
    const loop = { callers: 1, rampMs: 0, windowMs: 60_000, maxRequests: counted };
    const { requests } = await peer.load('transfer', loop);
    const writes = ((await writesSoFar(bench)) - before) / requests;
    const recorded = await completedHistories(bench, { workflow, most: counted });
    counts.set(name, [
      median(recorded.map(({ events }) => events)),
      median(recorded.map(({ workflowTasks }) => workflowTasks)),
      Math.round(writes),
    ]);
  }
  const rounds = await inRounds(contenders, bench.rounds);
  const at = (name: string, share: number) => latenciesAt(rounds.get(name) ?? [], share);
  const ratio = (index: 0 | 1 | 2) =>
    exactFigure((counts.get('at-once')?.[index] ?? Number.NaN) / (counts.get('all')?.[index] ?? Number.NaN));
  const rows = ways.map(({ name, label }) => [
    label,
    ...[0.5, 0.99].map((share) => cell(figureOf(at(name, share)), 1)),
    ...(counts.get(name) ?? []).map(String),
    foreignCell(rounds.get(name) ?? []),
  ]);
  return {
    tables: [
      {
        title: `Transfers from start to end by one caller, role all, ${bench.temporal.name} server`,
        head: ['', 'p50 ms', 'p99 ms', 'history events', 'workflow tasks', 'writing transactions', 'foreign CPU'],
        rows,
      },
    ],
    figures: {
      '15-latency': ratioOf(at('at-once', 0.5), at('all', 0.5)),
      '15-events': ratio(0),
      '15-tasks': ratio(1),
      '15-writes': ratio(2),
    },
  };
}

/** Only a transaction that writes gets a number, and so does the block of a function that may be undone by itself. */
const writesSoFar = (bench: Bench): Promise<number> =>
  withClient(bench.deployment.databaseUrl, async (client) => {
    const { rows } = await client.query<{ next: string }>('select pg_snapshot_xmax(pg_current_snapshot()) as next');
    return Number(rows[0]?.next);
  });
