import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createSchedule, firingsOf, scheduleEnvironment } from '../fixtures/schedules.ts';
import { type Portico, startPortico } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const folder = mkdtempSync(join(tmpdir(), 'portico-schedule-outage-'));
const everyMs = 2_000;
/** Longer than the shortest catch-up window, so that some firings are too late. */
const outageMs = 14_000;
const windowSeconds = 10;

let server: TestTemporalServer;
let portico: Portico;
const start = () =>
  startPortico({
    temporalAddress: server.address,
    stateDir: join(folder, 'state'),
    environment: { ...scheduleEnvironment, PORTICO_DEFAULT_TENANT: 'default' },
  });

beforeAll(async () => {
  server = await startTemporalServer({ databaseFile: join(folder, 'temporal.db') });
  portico = await start();
  await portico.untilReady();
});
afterAll(async () => {
  await portico.stop();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

it('after an outage of Temporal and Portico a schedule makes up what its window holds, once each', async () => {
  const { name, path } = await createSchedule(portico, {
    spec: { intervals: [{ everySeconds: everyMs / 1_000 }] },
    overlap: 'allow-all',
    catchUpSeconds: windowSeconds,
  });
  const { tenant } = portico;
  await firingsOf(portico, path, 1);
  await portico.stop();
  await server.kill();
  const downAtMs = Date.now();
  await sleep(outageMs);
  await server.restart();
  portico = await start();
  await portico.untilReady();
  const told = await until(
    () => portico.get(path, { tenant }),
    ({ body }) => body.counts?.missed > 0 && Date.parse(body.firings[0].scheduledAt) > downAtMs + outageMs,
  );
  const firings: { scheduledAt: string }[] = told.body.firings;
  const duringOutage = firings.filter(({ scheduledAt }) => {
    const atMs = Date.parse(scheduledAt);
    return atMs > downAtMs && atMs < downAtMs + outageMs;
  });
  expect(duringOutage.length).toBeGreaterThan(0);
  for (const { scheduledAt } of duringOutage) {
    const made = await until(
      () => portico.get(`/v1/probes/${name}.${scheduledAt}`, { tenant }),
      ({ status }) => status === 200,
    );
    expect(made.body.id).toBe(`${name}.${scheduledAt}`);
  }
  const lost = [downAtMs, downAtMs + everyMs].map((ms) => Math.ceil(ms / everyMs) * everyMs).slice(0, 1);
  for (const ms of lost) {
    const at = new Date(ms).toISOString().replace('.000Z', 'Z');
    expect((await portico.get(`/v1/probes/${name}.${at}`, { tenant })).status).toBe(404);
  }
});
