import { figureOf, ratioOf } from '../method/arithmetic.ts';
import type { Bench } from '../method/bench.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { type Contender, costs, foreignCell, inRounds, latenciesAt, warmUp } from '../method/rounds.ts';

/** Where an instance stands: by the service, and by a client that describes it itself. */
export async function reads(bench: Bench): Promise<SuiteResult> {
  const [api, client] = [await bench.peer('api'), await bench.peer('client')];
  const loop = { callers: 1, rampMs: 50, windowMs: bench.isShort ? 400 : 1_000 };
  const contenders = [api, client].map((peer): Contender => ({ name: peer.name, peer, kind: 'read', loop }));
  for (const { peer } of contenders) await peer.know(50);
  await warmUp(contenders, 1_500);
  const rounds = await inRounds(contenders, bench.rounds);
  const rows = contenders.map(({ name, peer }) => {
    const windows = rounds.get(name) ?? [];
    return [
      name === 'api' ? 'GET /{id}, role api' : 'describe by @temporalio/client',
      cell(figureOf(latenciesAt(windows, 0.5)), 2),
      cell(figureOf(latenciesAt(windows, 0.99)), 1),
      cell(figureOf(costs(windows, peer.pid))),
      foreignCell(windows),
    ];
  });
  const median = (name: string) => latenciesAt(rounds.get(name) ?? [], 0.5);
  const head = ['', 'p50 ms', 'p99 ms', 'CPU µs each', 'foreign CPU'];
  return {
    tables: [{ title: `Reads of one instance by one caller, ${bench.temporal.name} server`, head, rows }],
    // Without a real server behind both, the ratio is that of their own work alone.
    figures: bench.temporal.name === 'fake' ? {} : { '9': ratioOf(median('api'), median('client')) },
  };
}
