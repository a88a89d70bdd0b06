import { exactFigure, figureOf, ratioOf } from '../method/arithmetic.ts';
import type { Bench, Peer } from '../method/bench.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { type Contender, costs, foreignCell, inRounds, latenciesAt, warmUp } from '../method/rounds.ts';

const knownKeys = 50;
const counted = 40;

/**
 * Starts of keys that are taken: how many calls to Temporal they make, and what they cost beside fresh ones. On a real
 * server instances also end, and what a wait and the result of an ended instance take is counted too.
 */
export async function duplicates(bench: Bench): Promise<SuiteResult> {
  const isReal = bench.temporal.name !== 'fake';
  const rpcs = isReal ? await withWorkers(bench) : {};
  const api = await bench.peer('api');
  await api.know(knownKeys);
  const loop = { callers: 1, rampMs: 50, windowMs: bench.isShort ? 100 : 1_000 };
  const contenders = ['start', 'again', 'mismatch'].map((kind): Contender => ({ name: kind, peer: api, kind, loop }));
  await warmUp(contenders, bench.isShort ? 100 : 1_000);
  const rounds = await inRounds(contenders, bench.rounds);
  const of = (kind: string) => rounds.get(kind) ?? [];
  for (const { name } of contenders) rpcs[name] = await rpcsOf(api, name);
  rpcs['elsewhere'] = await rpcsElsewhere(bench);
  const row = (kind: string, name: string) => [
    name,
    String(rpcs[kind]),
    ...(rounds.has(kind)
      ? [
          cell(figureOf(latenciesAt(of(kind), 0.5)), 2),
          cell(figureOf(latenciesAt(of(kind), 0.99)), 1),
          cell(figureOf(costs(of(kind), api.pid))),
          foreignCell(of(kind)),
        ]
      : ['', '', '', '']),
  ];
  const rows = [
    row('start', 'fresh'),
    row('again', 'the same again, still running'),
    row('elsewhere', 'the same again, at another process'),
    row('mismatch', 'the same key, another payload'),
    ...(isReal ? [row('replay', 'the same again, ended, with its result'), row('result', 'fresh, Prefer: wait')] : []),
  ];
  const head = ['', 'RPCs', 'p50 ms', 'p99 ms', 'CPU µs each', 'foreign CPU'];
  return {
    tables: [{ title: `Starts by one caller, role api, ${bench.temporal.name} server`, head, rows }],
    figures: {
      '7-fresh': exactFigure(rpcs['start'] ?? Number.NaN),
      '7-duplicate': exactFigure(rpcs['elsewhere']),
      '7-again': exactFigure(rpcs['again'] ?? Number.NaN),
      '7-mismatch': exactFigure(rpcs['mismatch'] ?? Number.NaN),
      ...(isReal
        ? {
            '7-result': exactFigure(rpcs['replay'] ?? Number.NaN),
            // The start itself and its long poll.
            '7-wait': exactFigure((rpcs['result'] ?? Number.NaN) - 2),
            '8': ratioOf(latenciesAt(of('again'), 0.5), latenciesAt(of('start'), 0.5)),
          }
        : {}),
    },
  };
}

/** How many calls to Temporal one request of a kind makes, on average. */
async function rpcsOf(peer: Peer, kind: string): Promise<number> {
  const before = await peer.countRpcs();
  const loop = { callers: 1, rampMs: 0, windowMs: 60_000, maxRequests: counted };
  const { requests } = await peer.load(kind, loop);
  return ((await peer.countRpcs()) - before) / requests;
}

/** What a process makes of keys that another one has started: it has seen none of them. */
async function rpcsElsewhere(bench: Bench): Promise<number> {
  const other = await bench.peer('elsewhere');
  const before = await other.countRpcs();
  await other.know(knownKeys);
  return ((await other.countRpcs()) - before) / knownKeys;
}

/** The kinds that need a worker. Once waits for their ends are answered, the known instances have ended as well. */
async function withWorkers(bench: Bench): Promise<Record<string, number>> {
  const all = await bench.peer('all');
  await all.know(knownKeys);
  const result = await rpcsOf(all, 'result');
  const replay = await rpcsOf(all, 'replay');
  // The others are measured without a worker beside them.
  await all.stop();
  return { result, replay };
}
