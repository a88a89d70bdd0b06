import { setTimeout as sleep } from 'node:timers/promises';
import { get } from '../load/requests.ts';
import { ask } from '../method/ask.ts';
import type { Bench, Peer } from '../method/bench.ts';
import { latencyTable, medianRatio } from '../method/latencies.ts';
import type { SuiteResult } from '../method/report.ts';
import { type Contender, inRounds, warmUp } from '../method/rounds.ts';
import { atScale, scaled, shown } from '../method/scale.ts';
import { startMany } from '../method/start-many.ts';

/** The default of the service. */
const pageSize = 20;

interface Page {
  readonly items: readonly unknown[];
  readonly cursor?: string;
}

/** A page deep in the list of a tenant's open instances beside its first page; both are full. */
export async function depth(bench: Bench): Promise<SuiteResult> {
  const api = await bench.peer('api');
  const page = scaled(1_000, bench.scale, 10);
  await startMany(api, pageSize * page);
  const first = pageAt(bench, api, { page: 1, path: '/v1/user-grants' });
  const deep = pageAt(bench, api, { page, path: await pathOf(bench, api, page) });
  await warmUp([deep, first], 1_500);
  const rounds = await inRounds([deep, first], bench.rounds);
  const title = `List of ${shown(pageSize * page)} instances by one caller, role api, ${bench.temporal.name} server`;
  return {
    tables: [latencyTable(title, [deep, first], rounds)],
    figures: { '14-list': atScale(medianRatio(rounds, deep, first), bench.scale) },
  };
}

const pageAt = (bench: Bench, peer: Peer, { page, path }: { page: number; path: string }): Contender => ({
  name: `page ${shown(page)}`,
  peer,
  kind: get(bench.token, path),
  loop: { callers: 1, rampMs: 50, windowMs: 1_000 },
});

/** Walks there. Instances are in the list some time after their starts were answered. */
async function pathOf(bench: Bench, { url }: Peer, page: number): Promise<string> {
  let path = '/v1/user-grants';
  for (let at = 1; ;) {
    const { items, cursor } = (await ask(bench, url, { path })) as Page;
    if (items.length < pageSize) {
      await sleep(500);
      continue;
    }
    if (at === page) return path;
    if (cursor === undefined) throw new Error(`the list ends at page ${at}`);
    path = `/v1/user-grants?cursor=${encodeURIComponent(cursor)}`;
    at += 1;
  }
}
