import { figureOf, ratioOf } from '../method/arithmetic.ts';
import type { Bench } from '../method/bench.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { type Contender, foreignCell, inRounds, latenciesAt, warmUp } from '../method/rounds.ts';

/**
 * From the start of a process of several steps to its result, by one caller: `Prefer: wait` of role `all`, and a start and
 * `result()` by the SDK. The same workers run both.
 */
export async function waits(bench: Bench): Promise<SuiteResult> {
  const [all, client] = [await bench.peer('all'), await bench.peer('client')];
  const loop = { callers: 1, rampMs: 100, windowMs: bench.isShort ? 500 : 2_000 };
  const contenders = [all, client].map((peer): Contender => ({ name: peer.name, peer, kind: 'result', loop }));
  await warmUp(contenders, 3_000);
  const rounds = await inRounds(contenders, bench.rounds);
  const at = (name: string, share: number) => latenciesAt(rounds.get(name) ?? [], share);
  const rows = contenders.map(({ name }) => [
    name === 'all' ? 'POST with Prefer: wait, role all' : 'start and result() by @temporalio/client',
    cell(figureOf(at(name, 0.5)), 1),
    cell(figureOf(at(name, 0.99)), 1),
    foreignCell(rounds.get(name) ?? []),
  ]);
  return {
    tables: [
      {
        title: `From start to result by one caller, ${bench.temporal.name} server`,
        head: ['', 'p50 ms', 'p99 ms', 'foreign CPU'],
        rows,
      },
    ],
    figures: { '6-steps': ratioOf(at('all', 0.5), at('client', 0.5)) },
  };
}
