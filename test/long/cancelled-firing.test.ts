import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Launches, openLaunches } from '../harness/launches.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let launches: Launches;
beforeAll(async () => {
  launches = await openLaunches({ address: temporalAddress() });
});
afterAll(() => launches.close());

it('a cancelled firing goes on in another run while its instance refuses, and asks again there', async () => {
  launches.refuseCancels(true);
  const firing = await launches.begin();
  await firing.started();
  // A begin in the future has it look every second.
  const begun = { sinceMs: Date.now() + 3_600_000 };
  const next = await launches.begin({ key: await firing.id(), begun });
  await next.handle.cancel();
  const { runId } = await next.handle.describe();
  const later = await until(
    () => next.handle.describe(),
    (told) => told.runId !== runId,
    { withinMs: 330_000 },
  );
  expect(later.historyLength).toBeLessThan(50);
  launches.refuseCancels(false);
  expect(await next.result()).toBe('created');
  expect(await firing.result()).toBe('created');
});
