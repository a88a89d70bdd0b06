import { figureOf, ratioOf } from '../method/arithmetic.ts';
import type { Bench } from '../method/bench.ts';
import { cell, type SuiteResult, type Table } from '../method/report.ts';
import { type Contender, costs, foreignCell, inRounds, latenciesAt, warmUp } from '../method/rounds.ts';

const attempts = {
  kept: 'a request by undici, connection kept',
  closed: 'a request by undici, connection closed after it',
  addressed: 'an attempt to a URL with an address, not signed',
  named: 'an attempt to a URL with a name, not signed',
  endpoint: 'an attempt to an endpoint with a name, signed',
} as const;

const starts = {
  start: 'a start of a user grant',
  delay: 'a delayed task, due after a time',
  'delay-local': 'a delayed task, due at a local time of a zone',
} as const;

/** What an attempt to deliver a webhook costs beside a bare request, and what a delayed task costs beside a plain start. */
export async function webhooks(bench: Bench): Promise<SuiteResult> {
  const tables = [
    await compare(bench, { title: 'An attempt to deliver a webhook, 8 at once', peer: 'deliveries', kinds: attempts }),
    await compare(bench, {
      title: `A start by 8 callers, role api, ${bench.temporal.name} server`,
      ...{ peer: 'tasks', kinds: starts },
    }),
  ];
  return { tables, figures: {} };
}

interface Comparison {
  readonly title: string;
  readonly peer: 'deliveries' | 'tasks';
  /** By the kind of request; the first is what the others are compared with. */
  readonly kinds: Readonly<Record<string, string>>;
}

async function compare(bench: Bench, { title, peer: peerName, kinds }: Comparison): Promise<Table> {
  const peer = await bench.peer(peerName);
  const loop = { callers: 8, rampMs: 50, windowMs: bench.isShort ? 300 : 700 };
  const contenders = Object.entries(kinds).map(([kind, name]): Contender => ({ name, peer, kind, loop }));
  await warmUp(contenders, bench.isShort ? 500 : 1_500);
  const rounds = await inRounds(contenders, bench.rounds);
  const windowsOf = (name: string) => rounds.get(name) ?? [];
  const costOf = (name: string) => costs(windowsOf(name), peer.pid);
  const [first = ''] = Object.values(kinds);
  const rows = Object.values(kinds).map((name) => [
    name,
    cell(figureOf(costOf(name))),
    cell(ratioOf(costOf(name), costOf(first)), 2),
    cell(figureOf(latenciesAt(windowsOf(name), 0.5)), 2),
    foreignCell(windowsOf(name)),
  ]);
  return { title, head: ['', 'CPU µs each', '÷ the first', 'p50 ms', 'foreign CPU'], rows };
}
