import { exactFigure, figureOf, quantile } from '../method/arithmetic.ts';
import type { Bench } from '../method/bench.ts';
import { residentBytes } from '../method/processor-time.ts';
import type { SuiteResult } from '../method/report.ts';
import { foreignCell, inRounds, maxUnderWay, rates, warmUp } from '../method/rounds.ts';

const windowMs = 60_000;

/** Memory of role api at half load, minute by minute: as many minutes as there are rounds, after a first one. */
export async function soak(bench: Bench): Promise<SuiteResult> {
  const api = await bench.peer('api');
  const peak = { name: 'peak', peer: api, kind: 'start', loop: { callers: 64, rampMs: 300, windowMs: 2_000 } };
  await warmUp([peak], 4_000);
  const { value } = figureOf(rates((await inRounds([peak], 3)).get('peak') ?? []));
  const rows: string[][] = [];
  const bytes: number[] = [];
  for (let minute = 0; minute <= bench.rounds; minute += 1) {
    const window = await api.load('start', { perSecond: value / 2, maxUnderWay, rampMs: 0, windowMs });
    bytes.push(residentBytes(api.pid));
    rows.push([
      `minute ${minute}`,
      ((bytes.at(-1) ?? 0) / 1e6).toFixed(1),
      quantile(window.latencies, 0.99).toFixed(1),
      foreignCell([window]),
    ]);
  }
  const [first = Number.NaN] = bytes;
  return {
    tables: [
      {
        title: `Half load (${(value / 2).toFixed(0)} starts a second) on role api, ${bench.temporal.name} server`,
        head: ['', 'RSS MB', 'p99 ms', 'foreign CPU'],
        rows,
      },
    ],
    figures: { '12-growth': exactFigure(((bytes.at(-1) ?? Number.NaN) - first) / first) },
  };
}
