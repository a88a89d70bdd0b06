import { get, post } from '../load/requests.ts';
import { openAccounts } from '../method/ask.ts';
import type { Bench, Peer } from '../method/bench.ts';
import { latencyTable, medianRatio } from '../method/latencies.ts';
import type { SuiteResult } from '../method/report.ts';
import { type Contender, inRounds, warmUp } from '../method/rounds.ts';
import { atScale, scaled, shown } from '../method/scale.ts';
import { layEntries } from '../servers/entries.ts';

const loop = { callers: 1, rampMs: 50, windowMs: 500 };

/** Balance and freeze of an account with many entries beside one with few. */
export async function accounts(bench: Bench): Promise<SuiteResult> {
  const api = await bench.peer('api');
  await openAccounts(bench, { url: api.url, ids: ['busy', 'quiet', 'payee'] });
  const busy = await accountWith(bench, api, { id: 'busy', entries: scaled(1_000_000, bench.scale, 1_000) });
  const quiet = await accountWith(bench, api, { id: 'quiet', entries: 10 });
  const contenders = [busy.balance, quiet.balance, busy.freeze, quiet.freeze];
  await warmUp(contenders, 1_000);
  const rounds = await inRounds(contenders, bench.rounds);
  const title = `Accounts by one caller, role api, ${bench.temporal.name} server`;
  return {
    tables: [latencyTable(title, contenders, rounds)],
    figures: {
      '14-entries': atScale(medianRatio(rounds, busy.balance, quiet.balance), bench.scale),
      '14-freeze': atScale(medianRatio(rounds, busy.freeze, quiet.freeze), bench.scale),
    },
  };
}

async function accountWith(bench: Bench, peer: Peer, { id, entries }: { id: string; entries: number }) {
  const { token, tenant, deployment } = bench;
  const count = await layEntries(deployment.databaseUrl, { tenant, id, payee: 'payee', entries });
  const order = (action: string) => post({ token, status: 200, path: `/v1/accounts/${id}/${action}`, body: {} });
  const named = (what: string) => `${what} of an account with ${shown(count)} entries`;
  return {
    balance: { name: named('balance'), peer, kind: get(token, `/v1/accounts/${id}`), loop } satisfies Contender,
    // In turn, because a second freeze of the same account would change nothing.
    freeze: { name: named('freeze'), peer, kind: [order('freeze'), order('unfreeze')], loop } satisfies Contender,
  };
}
