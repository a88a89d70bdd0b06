import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Portico, startApi } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { startSilentServer } from '../servers/silent.ts';

/** What an operation may have under way at most. */
const ceiling = 512;
/** A probe gives up in that time or earlier, on a machine that is not slow. */
const probeMs = 10_000;

let temporal: Awaited<ReturnType<typeof startSilentServer>>;
let api: Portico;
beforeAll(async () => {
  temporal = await startSilentServer();
  api = await startApi({
    temporalAddress: temporal.address,
    environment: { PORTICO_MAX_CONNECTIONS_PER_ADDRESS: '0' },
  });
});
afterAll(async () => {
  await api.stop();
  await temporal.close();
});

/** Samples of one metric by cost, those of all operations together. */
async function byCost(metric: string): Promise<Record<string, number>> {
  const { text } = await api.admin('/metrics');
  const sums: Record<string, number> = {};
  for (const [, cost = '', value] of text.matchAll(new RegExp(`^${metric}\\{.*cost="(\\w+)".*\\} (\\d+)$`, 'gm'))) {
    sums[cost] = (sums[cost] ?? 0) + Number(value);
  }
  return sums;
}

it('health and metrics are answered while requests of every cost are shed', async () => {
  const authorization = `Bearer ${await api.tokenFor()}`;
  const leaving = new AbortController();
  const send = (path: string, init: { method?: string; headers?: Record<string, string>; body?: string } = {}) =>
    fetch(new URL(path, api.url), {
      ...init,
      headers: { authorization, ...init.headers },
      signal: leaving.signal,
    }).then((response) => response.text(), String);
  const start = (userId: string) =>
    send('/v1/user-grants', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ userId, name: 'Ann' }),
    });

  // No start is answered. Once they have all their turns, reads and lists get few, and these take them all.
  const sent = Array.from({ length: ceiling + 20 }, (_, at) => start(`user-${at}`));
  await until(
    () => byCost('portico_requests_under_way'),
    ({ start: underWay }) => underWay === ceiling,
  );
  for (let at = 0; at < 20; at += 1) sent.push(send('/v1/user-grants/user-1'), send('/v1/user-grants'));
  await until(
    () => byCost('portico_requests_shed_total'),
    (shed) => ['start', 'read', 'list'].every((cost) => (shed[cost] ?? 0) > 0),
  );

  for (const path of ['/livez', '/readyz', '/healthz', '/metrics']) {
    const { status } = await fetch(new URL(path, api.adminUrl), { signal: AbortSignal.timeout(probeMs) });
    expect([path, status]).toEqual([path, 200]);
  }
  expect(await byCost('portico_requests_under_way')).toMatchObject({ start: ceiling, read: 8, list: 2 });
  leaving.abort();
  await Promise.all(sent);
});
