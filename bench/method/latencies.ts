import { type Figure, figureOf, ratioOf } from './arithmetic.ts';
import { cell, type Table } from './report.ts';
import { type Contender, costs, foreignCell, latenciesAt, type Rounds } from './rounds.ts';

/** A row for each contender, under its own name: latencies, and the processor time of the peer that answers. */
export function latencyTable(title: string, contenders: readonly Contender[], rounds: Rounds): Table {
  const rows = contenders.map(({ name, peer }) => {
    const windows = rounds.get(name) ?? [];
    return [
      name,
      cell(figureOf(latenciesAt(windows, 0.5)), 2),
      cell(figureOf(latenciesAt(windows, 0.99)), 1),
      cell(figureOf(costs(windows, peer.pid))),
      foreignCell(windows),
    ];
  });
  return { title, head: ['', 'p50 ms', 'p99 ms', 'CPU µs each', 'foreign CPU'], rows };
}

/** The median of one contender divided by that of another. */
export const medianRatio = (rounds: Rounds, above: Contender, below: Contender): Figure =>
  ratioOf(latenciesAt(rounds.get(above.name) ?? [], 0.5), latenciesAt(rounds.get(below.name) ?? [], 0.5));
