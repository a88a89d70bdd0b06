import { exactFigure, figureOf, median } from '../method/arithmetic.ts';
import type { Bench, Peer } from '../method/bench.ts';
import { completedHistories, eagerShareOf } from '../method/histories.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import {
  type Contender,
  costs,
  foreignCell,
  inRounds,
  latenciesAt,
  maxUnderWay,
  rates,
  warmUp,
} from '../method/rounds.ts';

const counted = 300;
/** Of what the process takes at its peak. */
const loadShare = 0.7;

/**
 * What one process of role `all` gets done, and how many of its starts are eager while it is busy. Callers that wait for
 * results find the peak; then starts come at a fixed rate, whether or not the process keeps up.
 */
export async function worker(bench: Bench): Promise<SuiteResult> {
  const all = await bench.peer('all');
  const atPeak: Contender = {
    ...{ name: '16 callers that wait', peer: all, kind: 'result' },
    loop: { callers: 16, rampMs: 1_000, windowMs: bench.isShort ? 2_000 : 5_000 },
  };
  await warmUp([atPeak], 4_000);
  const peak = await measured(bench, all, atPeak);
  const perSecond = loadShare * figureOf(rates(peak.windows)).value;
  const busy = await measured(bench, all, {
    ...{ name: `starts at ${loadShare * 100} % of that`, peer: all, kind: 'start' },
    loop: { perSecond, maxUnderWay, rampMs: 1_000, windowMs: bench.isShort ? 2_000 : 5_000 },
  });
  const head = [
    '',
    'instances a second',
    'tasks a second',
    'eager starts',
    'p50 ms',
    'p99 ms',
    'CPU µs each',
    'foreign CPU',
  ];
  return {
    tables: [
      { title: `Work done by role all, ${bench.temporal.name} server`, head, rows: [peak, busy].map(({ row }) => row) },
    ],
    figures: { '6-load': exactFigure(busy.share) },
  };
}

/** One kind of load, and what Temporal recorded of the instances that it started. */
async function measured(bench: Bench, peer: Peer, contender: Contender) {
  const startedAfter = new Date();
  const windows = (await inRounds([contender], bench.rounds)).get(contender.name) ?? [];
  const { prefix } = peer;
  const recorded = await completedHistories(bench, { workflow: 'userGrants', prefix, startedAfter, most: counted });
  const tasksEach = median(recorded.map(({ workflowTasks, activities }) => workflowTasks + activities));
  const perSecond = figureOf(rates(windows));
  const share = eagerShareOf(recorded);
  const row = [
    contender.name,
    cell(perSecond),
    (perSecond.value * tasksEach).toFixed(0),
    `${(100 * share).toFixed(1)} %`,
    cell(figureOf(latenciesAt(windows, 0.5)), 1),
    cell(figureOf(latenciesAt(windows, 0.99)), 1),
    cell(figureOf(costs(windows, peer.pid))),
    foreignCell(windows),
  ];
  return { windows, share, row };
}
