import { exactFigure } from '../method/arithmetic.ts';
import { openAccounts } from '../method/ask.ts';
import type { Bench, Peer } from '../method/bench.ts';
import { completedHistories, eagerShareOf } from '../method/histories.ts';
import { latencyTable, medianRatio } from '../method/latencies.ts';
import type { SuiteResult } from '../method/report.ts';
import { type Contender, inRounds, warmUp } from '../method/rounds.ts';

const counted = 200;

/**
 * From the start of a process of one step to its result, by one caller: `Prefer: wait` of role `all`, whose worker gets
 * the first step with the answer to the start; the same of role `api`; a start and `result()` by the SDK. The workers of
 * role `all` run them all.
 */
export async function eager(bench: Bench): Promise<SuiteResult> {
  const [all, api, client] = [await bench.peer('at-once'), await bench.peer('api-at-once'), await bench.peer('client')];
  await openAccounts(bench, { url: all.url, ids: ['a', 'b'] });
  const by = (peer: Peer, name: string): Contender => ({
    ...{ name, peer, kind: 'transfer' },
    loop: { callers: 1, rampMs: 100, windowMs: bench.isShort ? 500 : 2_000 },
  });
  const eagerly = by(all, 'POST with Prefer: wait, role all');
  const plainly = by(api, 'the same, role api');
  const directly = by(client, 'start and result() by @temporalio/client');
  const contenders = [eagerly, plainly, directly];
  await warmUp(contenders, 3_000);
  const rounds = await inRounds(contenders, bench.rounds);
  const shareOf = async ({ prefix }: Peer) =>
    eagerShareOf(await completedHistories(bench, { workflow: 'transfersAtOnce', prefix, most: counted }));
  const share = await shareOf(all);
  const title =
    `From start to result of one step by one caller, ${bench.temporal.name} server; ` +
    `${(100 * share).toFixed(1)} % of role all's starts were eager, ${(100 * (await shareOf(api))).toFixed(1)} % of role api's`;
  return {
    tables: [latencyTable(title, contenders, rounds)],
    figures: { '6': medianRatio(rounds, eagerly, directly), '6-eager': exactFigure(share) },
  };
}
