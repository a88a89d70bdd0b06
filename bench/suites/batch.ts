import { batchSize } from '../load/requests.ts';
import { exactFigure, figureOf, ratioOf, type Sample } from '../method/arithmetic.ts';
import type { Bench } from '../method/bench.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { type Contender, costs, foreignCell, inRounds, rates, restCell, warmUp } from '../method/rounds.ts';

/** Batches whose calls are counted. */
const counted = 20;

/** Fresh starts alone and by batches, as many of them under way at the same time. */
export async function batch(bench: Bench): Promise<SuiteResult> {
  const peer = await bench.peer('api');
  const times = { rampMs: 200, windowMs: bench.isShort ? 500 : 1_000 };
  const alone: Contender = { name: 'alone', peer, kind: 'start', loop: { callers: 64, ...times } };
  const batched: Contender = { name: 'batched', peer, kind: 'batch', loop: { callers: 4, ...times } };
  await warmUp([alone, batched], bench.isShort ? 1_000 : 2_000);
  const rpcsBefore = await peer.countRpcs();
  await peer.load('batch', { callers: 1, rampMs: 0, windowMs: 60_000, maxRequests: counted });
  const rpcs = (await peer.countRpcs()) - rpcsBefore;
  const rounds = await inRounds([alone, batched], bench.rounds);
  const windowsOf = ({ name }: Contender) => rounds.get(name) ?? [];
  const costOf = (contender: Contender) => perStart(contender, costs(windowsOf(contender), peer.pid), 1 / batchSize);
  const rateOf = (contender: Contender) => perStart(contender, rates(windowsOf(contender)), batchSize);
  const row = (name: string, contender: Contender): string[] => [
    name,
    cell(figureOf(rateOf(contender))),
    cell(figureOf(costOf(contender))),
    restCell(windowsOf(contender), peer.pid),
    foreignCell(windowsOf(contender)),
  ];
  return {
    tables: [
      {
        title: `Fresh starts alone by 64 callers and by 4 callers with batches of ${batchSize}, ${bench.temporal.name} server`,
        head: ['', 'starts a second', 'CPU µs each', 'rest busy', 'foreign CPU'],
        rows: [row('alone', alone), row('in batches', batched)],
      },
    ],
    figures: {
      '16-cpu': ratioOf(costOf(batched), costOf(alone)),
      '16-rate': ratioOf(rateOf(batched), rateOf(alone)),
      '16-rpc': exactFigure(rpcs / (batchSize * counted)),
    },
  };
}

/** A request of the batches stands for many starts. */
const perStart = ({ kind }: Contender, samples: readonly Sample[], factor: number): Sample[] =>
  samples.map(({ value, isQuiet }) => ({ value: kind === 'batch' ? value * factor : value, isQuiet }));
