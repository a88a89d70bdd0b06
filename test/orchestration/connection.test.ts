import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';

const toNowhere = () => createConnection({ settings: { address: '127.0.0.1:1' }, observe: () => undefined });

// What is thrown in a timer would end the process; here vitest reports it.
test('closes while calls are waiting for their next attempt, and leaves nothing behind that throws', async () => {
  const waits = [0, 30, 60, 90, 120, 150, 200, 250, 300, 400];
  const outcomes = await Promise.all(
    waits.map(async (waitMs) => {
      const { connection, close } = toNowhere();
      const calls = [0, 20, 40].map((delayMs) =>
        sleep(delayMs).then(() =>
          connection.withDeadline(Date.now() + 2_000, () => connection.workflowService.getSystemInfo({})),
        ),
      );
      const settled = Promise.allSettled(calls);
      await sleep(waitMs + 45);
      const startedAtMs = performance.now();
      await close();
      return { closingMs: performance.now() - startedAtMs, calls: await settled };
    }),
  );
  expect(outcomes.flatMap(({ calls }) => calls).filter(({ status }) => status === 'fulfilled')).toEqual([]);
  for (const { closingMs } of outcomes) expect(closingMs).toBeLessThan(1_000);
  // The last retry would have come due by now.
  await sleep(500);
});
