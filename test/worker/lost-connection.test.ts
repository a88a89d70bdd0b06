import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection } from '@temporalio/worker';
import { afterEach, expect, it } from 'vitest';
import { watchHealth } from '../../src/orchestration/health.ts';
import { untilLost } from '../../src/worker/lost-connection.ts';
import { failure, type Reply, startFakeFrontend } from '../servers/fake-frontend.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** Watches a connection for `forMs`; gives whether it was called lost, and how often the frontend was asked. */
async function watch(health: () => Reply, forMs: number) {
  let asked = 0;
  const frontend = await startFakeFrontend({}, () => {
    asked += 1;
    return health();
  });
  releases.push(frontend.stop);
  const settings = { address: frontend.address };
  const connection = await NativeConnection.connect(settings);
  releases.push(() => connection.close());
  const watched = watchHealth(connection);
  releases.push(watched.stop);
  const isLost = await Promise.race([untilLost(watched, settings).catch(() => true), sleep(forMs, false)]);
  return { isLost, asked };
}

it.each(['UNIMPLEMENTED', 'PERMISSION_DENIED'] as const)(
  'a connection on which the question for health is answered with %s is alive, and not asked in a hurry',
  async (code) => {
    const { isLost, asked } = await watch(() => failure(code), 3_500);
    expect(isLost).toBe(false);
    expect(asked).toBeLessThanOrEqual(4);
    expect(asked).toBeGreaterThanOrEqual(1);
  },
);

it('a connection that is silent while a new one is as silent is kept', async () => {
  const { isLost } = await watch(() => new Promise<Uint8Array>(() => undefined), 8_000);
  expect(isLost).toBe(false);
});
