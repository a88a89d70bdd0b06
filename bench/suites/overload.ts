import { figureOf, ratioOf } from '../method/arithmetic.ts';
import type { Bench } from '../method/bench.ts';
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

/** Twice the starts that role api can take, whether or not it keeps up: what it accepts, and how late. */
export async function overload(bench: Bench): Promise<SuiteResult> {
  const api = await bench.peer('api');
  const peak: Contender = {
    ...{ name: 'peak', peer: api, kind: 'start' },
    loop: { callers: 64, rampMs: 300, windowMs: 2_000 },
  };
  await warmUp([peak], 4_000);
  const { value } = figureOf(rates((await inRounds([peak], 3)).get('peak') ?? []));
  const at = (name: string, times: number): Contender => ({
    ...{ name, peer: api, kind: 'start' },
    loop: { perSecond: times * value, rampMs: 1_000, windowMs: 3_000, maxUnderWay },
  });
  const contenders = [peak, at('half', 0.5), at('double', 2)];
  const rounds = await inRounds(contenders, bench.rounds);
  const of = (name: string) => rounds.get(name) ?? [];
  const names: Readonly<Record<string, string>> = { peak: '64 callers', half: 'half of that', double: 'twice that' };
  const rows = contenders.map(({ name }) => [
    names[name] ?? name,
    cell(figureOf(rates(of(name)))),
    cell(figureOf(latenciesAt(of(name), 0.5)), 1),
    cell(figureOf(latenciesAt(of(name), 0.99)), 1),
    cell(figureOf(costs(of(name), api.pid))),
    foreignCell(of(name)),
  ]);
  return {
    tables: [
      {
        title: 'Starts offered to role api, fake server',
        head: ['', 'accepted a second', 'p50 ms', 'p99 ms', 'CPU µs each', 'foreign CPU'],
        rows,
      },
    ],
    figures: {
      '13-goodput': ratioOf(rates(of('double')), rates(of('peak'))),
      '13-p99': ratioOf(latenciesAt(of('double'), 0.99), latenciesAt(of('half'), 0.99)),
    },
  };
}
