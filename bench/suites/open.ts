import { type Bench, openBench, type Peer } from '../method/bench.ts';
import { latencyTable, medianRatio } from '../method/latencies.ts';
import type { SuiteResult } from '../method/report.ts';
import { type Contender, inRounds, warmUp } from '../method/rounds.ts';
import { atScale, scaled, shown } from '../method/scale.ts';
import { startMany } from '../method/start-many.ts';

/** Few, because they stay open as well. */
const maxRequests = 50;

/** Starts beside many open instances and beside few, each on servers of its own. No worker runs: none of them ends. */
export async function open(bench: Bench): Promise<SuiteResult> {
  const other = await openBench(bench);
  try {
    const many = await startsBeside(await bench.peer('api'), scaled(50_000, bench.scale, 100));
    const few = await startsBeside(await other.peer('api'), scaled(1_000, bench.scale, 10));
    await warmUp([many, few], 1_500);
    const rounds = await inRounds([many, few], bench.rounds);
    const title =
      `Starts by one caller, role api, ${bench.temporal.name} server; ` +
      `up to ${shown(maxRequests * (bench.rounds + 1))} more while it was measured`;
    return {
      tables: [latencyTable(title, [many, few], rounds)],
      figures: { '14-open': atScale(medianRatio(rounds, many, few), bench.scale) },
    };
  } finally {
    await other.close();
  }
}

async function startsBeside(peer: Peer, count: number): Promise<Contender> {
  await startMany(peer, count);
  const loop = { callers: 1, rampMs: 0, windowMs: 5_000, maxRequests };
  return { name: `beside ${shown(count)} open instances`, peer, kind: 'start', loop };
}
