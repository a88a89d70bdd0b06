import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { createDelayedTaskActivities, type Delivery } from '../../activities/delayed-tasks.ts';
import { delayedTaskSettings } from '../../src/catalog/delayed-tasks/settings.ts';
import { createDeliveryRoom } from '../../src/worker/delivery-room.ts';
import { judgesNothing } from '../harness/judging.ts';
import { settingsWith } from '../harness/settings.ts';
import { openWebhooks } from '../harness/webhooks.ts';
import { openTestDatabase, type TestDatabase } from '../servers/database.ts';
import { startWebhookReceiver } from '../servers/webhook-receiver.ts';

let test: TestDatabase;
beforeAll(async () => {
  test = await openTestDatabase('embedded');
});
afterAll(() => test.close());

const unused = () => Promise.reject(new Error('nothing asks for this here'));

/** Attempts of the real activity over real connections, with room for so many. */
function openDeliveries(limits: Parameters<typeof createDeliveryRoom>[0]) {
  const { webhooks } = openWebhooks(test.database);
  const counted: string[] = [];
  const { deliver } = createDelayedTaskActivities({
    webhooks,
    queues: { publish: unused },
    gateway: { start: unused, findStarted: unused, admitOpen: unused },
    definitions: [],
    judging: judgesNothing,
    settingsOf: settingsWith(delayedTaskSettings, {}),
    deliveryObserver: {
      observeLateness: () => undefined,
      observeAttempt: (_target, { kind }) => void counted.push(kind),
      countDeadLetter: () => undefined,
    },
    deliveryRoom: createDeliveryRoom(limits),
    signalOf: () => undefined,
  });
  return {
    counted,
    attempt: (url: string, timeoutMs: number): Promise<Delivery> =>
      deliver({
        task: { tenant: 'acme', key: randomUUID(), generation: 1 },
        dueAt: new Date().toISOString(),
        isFirst: true,
        target: { webhook: { url, timeout: timeoutMs } },
        payload: {},
        timeoutMs,
      }),
  };
}

async function receiver(options: Parameters<typeof startWebhookReceiver>[0] = {}) {
  const started = await startWebhookReceiver(options);
  onTestFinished(started.close);
  return started;
}

it('a receiver that hangs gets its places, keeps nobody from others, and the rest are put off and no attempts', async () => {
  const hanging = await receiver({ answer: () => undefined });
  const taking = await receiver();
  const { attempt, counted } = openDeliveries({ slots: 200, perReceiver: 10 });
  const stuck = Array.from({ length: 50 }, () => attempt(hanging.url, 3_000));
  const delivered = await Promise.all(Array.from({ length: 50 }, () => attempt(taking.url, 3_000)));
  expect(new Set(delivered.map(({ kind }) => kind))).toEqual(new Set(['delivered']));
  const kinds = (await Promise.all(stuck)).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'failed')).toHaveLength(10);
  expect(kinds.filter((kind) => kind === 'deferred')).toHaveLength(40);
  expect(hanging.received).toHaveLength(10);
  expect(counted.filter((kind) => kind === 'deferred')).toHaveLength(40);
});
