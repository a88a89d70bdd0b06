import { figureOf, median, type Sample } from '../method/arithmetic.ts';
import type { Bench, Layer, Peer, PeerName } from '../method/bench.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { type Contender, costs, foreignCell, inRounds, warmUp } from '../method/rounds.ts';

const names = {
  'layer-0': 'a route of Fastify',
  'layer-1': '+ RS256 by @fastify/jwt',
  'layer-2': '+ body by zod',
  'layer-3': '+ log line by pino',
  'layer-4': '+ fingerprint',
  'layer-5': '+ start by grpc-js',
  api: 'Portico, role api',
} as const satisfies Partial<Record<Layer | PeerName, string>>;

/** Where the processor time of a start goes: routes with one duty more each, and the service with all of its duties. */
export async function layers(bench: Bench): Promise<SuiteResult> {
  const peers: Peer[] = [];
  for (const name of Object.keys(names) as (keyof typeof names)[]) peers.push(await bench.peer(name));
  const loop = { callers: 16, rampMs: 100, windowMs: bench.isShort ? 500 : 1_000 };
  const contenders = peers.map((peer): Contender => ({ name: peer.name, peer, kind: 'start', loop }));
  await warmUp(contenders, 2_000);
  const rounds = await inRounds(contenders, bench.rounds);
  const samples = peers.map(({ name, pid }): Sample[] => costs(rounds.get(name) ?? [], pid));
  const rows = peers.map(({ name }, index) => {
    const own = samples[index] ?? [];
    const more = own.map(({ value }, round) => value - (samples[index - 1]?.[round]?.value ?? 0));
    return [
      names[name as keyof typeof names],
      cell(figureOf(own)),
      median(more).toFixed(0),
      foreignCell(rounds.get(name) ?? []),
    ];
  });
  return {
    tables: [{ title: 'Layers of a start, 16 callers', head: ['', 'CPU µs each', 'more', 'foreign CPU'], rows }],
    figures: {},
  };
}
