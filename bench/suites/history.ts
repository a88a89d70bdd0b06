import { Client, Connection } from '@temporalio/client';
import { get } from '../load/requests.ts';
import { ask } from '../method/ask.ts';
import type { Bench, Peer } from '../method/bench.ts';
import { latencyTable, medianRatio } from '../method/latencies.ts';
import type { SuiteResult } from '../method/report.ts';
import { type Contender, inRounds, warmUp } from '../method/rounds.ts';
import { atScale, scaled, shown } from '../method/scale.ts';
import { idOf } from '../peers/start-by-sdk.ts';

const senders = 16;

/**
 * Reads of an instance with a long history beside one with a short history. The histories grow by signals that the
 * workflow does not know; no worker runs, so that nothing else is written.
 */
export async function history(bench: Bench): Promise<SuiteResult> {
  const api = await bench.peer('api');
  const long = await instanceWith(bench, api, scaled(10_000, bench.scale, 100));
  const short = await instanceWith(bench, api, 10);
  await warmUp([long, short], 1_500);
  const rounds = await inRounds([long, short], bench.rounds);
  const title = `GET /{id} by one caller, role api, ${bench.temporal.name} server`;
  return {
    tables: [latencyTable(title, [long, short], rounds)],
    figures: { '14-history': atScale(medianRatio(rounds, long, short), bench.scale) },
  };
}

async function instanceWith(bench: Bench, peer: Peer, events: number): Promise<Contender> {
  const key = `history-${events}`;
  const body = { userId: key, name: 'Ann Example', locale: 'en' };
  await ask(bench, peer.url, { method: 'POST', path: '/v1/user-grants', body });
  const length = await lengthen({ address: bench.temporal.address, workflowId: idOf(key), events });
  return {
    name: `${shown(length)} events`,
    peer,
    kind: get(bench.token, `/v1/user-grants/${key}`),
    loop: { callers: 1, rampMs: 50, windowMs: 1_000 },
  };
}

/** Gives the number of events that the instance has then. */
async function lengthen(to: { address: string; workflowId: string; events: number }): Promise<number> {
  const connection = await Connection.connect({ address: to.address });
  const handle = new Client({ connection }).workflow.getHandle(to.workflowId);
  const { historyLength } = await handle.describe();
  let left = to.events - historyLength;
  const send = async () => {
    while (left > 0) {
      left -= 1;
      await handle.signal('unknown');
    }
  };
  await Promise.all(Array.from({ length: senders }, send));
  const { historyLength: length } = await handle.describe();
  await connection.close();
  return length;
}
