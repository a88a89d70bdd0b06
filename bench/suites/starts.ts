import { type Figure, figureOf, ratioOf } from '../method/arithmetic.ts';
import type { Bench, Peer, PeerName } from '../method/bench.ts';
import type { SuiteResult } from '../method/report.ts';
import { cell } from '../method/report.ts';
import {
  type Contender,
  costs,
  foreignCell,
  inRounds,
  latenciesAt,
  maxUnderWay,
  rates,
  restCell,
  type Rounds,
  warmUp,
} from '../method/rounds.ts';

const names = {
  api: 'Portico, role api',
  all: 'Portico, role all',
  client: '@temporalio/client',
  native: 'the same over NativeConnection',
  raw: 'raw service over NativeConnection',
  classic: 'Fastify, describe then start',
  express: 'Express, start by the SDK',
  own: "Temporal's own HTTP API",
} as const satisfies Partial<Record<PeerName, string>>;

/**
 * Fresh starts: the rate and the cost of each peer at its peak, and latencies at half of that. On a real server also
 * what one caller waits for; no worker runs beside them.
 */
export async function starts(bench: Bench): Promise<SuiteResult> {
  const isReal = bench.temporal.name !== 'fake';
  const wanted = (Object.keys(names) as (keyof typeof names)[]).filter((name) =>
    bench.isShort ? ['api', 'all', 'client'].includes(name) : isReal ? name !== 'all' : name !== 'own',
  );
  const callers = isReal ? 16 : 64;
  const peers: Peer[] = [];
  for (const name of wanted) peers.push(await bench.peer(name));
  const loop = { callers, rampMs: 200, windowMs: bench.isShort ? 500 : 1_000 };
  const contenders = peers.map((peer): Contender => ({ name: peer.name, peer, kind: 'start', loop }));
  await warmUp(contenders, bench.isShort ? 1_000 : 2_000);
  const closed = await inRounds(contenders, bench.rounds);
  const of = (name: PeerName) => closed.get(name) ?? [];
  const peakOf = (name: PeerName) => figureOf(rates(of(name))).value;
  const single = isReal ? await inRounds(contenders.map(withOneCaller), bench.rounds) : undefined;
  const open = bench.isShort
    ? undefined
    : await inRounds(
        contenders.map((each) => ({
          ...each,
          loop: { perSecond: peakOf(each.peer.name) / 2, maxUnderWay, rampMs: 300, windowMs: 1_500 },
        })),
        Math.ceil(bench.rounds / 3),
      );
  const row = (peer: Peer): string[] => {
    const windows = of(peer.name);
    const atHalf = open?.get(peer.name) ?? [];
    return [
      names[peer.name as keyof typeof names],
      cell(figureOf(rates(windows))),
      cell(figureOf(costs(windows, peer.pid))),
      restCell(windows, peer.pid),
      foreignCell(windows),
      ...(single === undefined
        ? []
        : [0.5, 0.99].map((share) => cell(figureOf(latenciesAt(single.get(peer.name) ?? [], share)), 1))),
      ...(open === undefined ? [] : [0.5, 0.99].map((share) => cell(figureOf(latenciesAt(atHalf, share)), 1))),
    ];
  };
  const head = [
    '',
    'starts a second',
    'CPU µs each',
    'rest busy',
    'foreign CPU',
    ...(single === undefined ? [] : ['one caller: p50 ms', 'p99 ms']),
    ...(open === undefined ? [] : ['half load: p50 ms', 'p99 ms']),
  ];
  return {
    tables: [
      {
        title: `Starts by ${callers} callers, ${bench.temporal.name} server; half load is half of each one's own peak`,
        head,
        rows: peers.map(row),
      },
    ],
    figures:
      single === undefined ? figuresOf(closed, peers) : { '4': rateRatio(closed, 'api', 'client'), ...addedBy(single) },
  };
}

const withOneCaller = (contender: Contender): Contender => ({
  ...contender,
  loop: { callers: 1, rampMs: 100, windowMs: 1_500 },
});

/** What one caller waits longer for the service than for the client, as a part of what the client takes at its median. */
function addedBy(rounds: Rounds): Record<string, Figure> {
  const at = (name: PeerName, share: number) => latenciesAt(rounds.get(name) ?? [], share);
  const direct = at('client', 0.5);
  const added = (share: number): Figure => {
    const ratio = ratioOf(
      at('api', share).map((sample, round) => ({
        value: sample.value - (at('client', share)[round]?.value ?? Number.NaN),
        isQuiet: sample.isQuiet && at('client', share)[round]?.isQuiet === true,
      })),
      direct,
    );
    return ratio;
  };
  return { '5-p50': added(0.5), '5-p99': added(0.99) };
}

const rateRatio = (rounds: Rounds, above: PeerName, below: PeerName): Figure =>
  ratioOf(rates(rounds.get(above) ?? []), rates(rounds.get(below) ?? []));

function figuresOf(rounds: Rounds, peers: readonly Peer[]): Record<string, Figure> {
  const figures: Record<string, Figure> = {};
  const has = (name: PeerName) => peers.some((peer) => peer.name === name);
  const costOf = (name: PeerName) => costs(rounds.get(name) ?? [], peers.find((peer) => peer.name === name)?.pid ?? 0);
  for (const role of ['api', 'all'] as const) {
    figures[`1-${role}`] = rateRatio(rounds, role, 'client');
    figures[`1-${role}-cpu`] = ratioOf(costOf('client'), costOf(role));
    if (has('native')) figures[`2-${role}`] = rateRatio(rounds, role, 'native');
    if (has('classic')) figures[`3-${role}`] = rateRatio(rounds, role, 'classic');
  }
  return figures;
}
