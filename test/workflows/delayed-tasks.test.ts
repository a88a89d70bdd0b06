import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliveryBodyOf, deliveryIdOf } from '../../src/catalog/delayed-tasks/delivery.ts';
import {
  createHeld,
  type DelayedTasks,
  openDelayedTasks,
  type Receiver,
  refuses,
  refusesFirst,
} from '../harness/delayed-tasks.ts';
import { approver } from '../harness/instance-messages.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let tasks: DelayedTasks;
/** Its dead letters end at once. */
let impatient: DelayedTasks;

beforeAll(async () => {
  const address = temporalAddress();
  [tasks, impatient] = await Promise.all([
    openDelayedTasks({ address }),
    openDelayedTasks({ address, deadLetterMs: 1 }),
  ]);
});
afterAll(async () => {
  await Promise.all([tasks.close(), impatient.close()]);
});

const hour = 3_600_000;

const delivered = { kind: 'delivered', status: 204 } as const;
const failed = { kind: 'failed', reason: 'timeout' } as const;

describe.concurrent('a delayed task', () => {
  it('is delivered once when it is due, under the id that never changes', async () => {
    const task = await tasks.begin({ dueInMs: 300 });
    expect(await task.result()).toMatchObject({ outcome: 'delivered', attempts: 1, status: 204 });
    const [received, ...more] = task.received;
    expect(more).toEqual([]);
    expect(received?.atMs).toBeGreaterThanOrEqual(Date.parse(task.details.dueAt));
    const named = { tenant: tasks.tenant, key: task.key, generation: 1 };
    const { dueAt } = task.details;
    expect(received).toMatchObject({
      id: deliveryIdOf(named),
      body: deliveryBodyOf(named, { dueAt, payload: { hello: 'you' } }),
    });
    expect(await task.read()).toMatchObject({ status: 'COMPLETED', outcome: 'delivered' });
    expect(await task.stepsOfHistory()).toEqual(['delivering']);
  });

  it('is due at once where its time has passed', async () => {
    expect(await (await tasks.begin({ dueInMs: -hour })).result()).toMatchObject({ outcome: 'delivered' });
  });

  it('goes to a queue under the same id', async () => {
    const task = await tasks.begin({ deliver: { queue: {} } });
    expect(await task.result()).toMatchObject({ outcome: 'delivered' });
    expect(task.received.map(({ id }) => id)).toEqual([
      deliveryIdOf({ tenant: tasks.tenant, key: task.key, generation: 1 }),
    ]);
  });

  it('is retried with the same id and the same bytes, and shows its attempts', async () => {
    const task = await tasks.begin({ receiver: refusesFirst(2), maxAttempts: 3 });
    expect(await task.result()).toMatchObject({ outcome: 'delivered', attempts: 3 });
    expect(new Set(task.received.map(({ id, body }) => id + body)).size).toBe(1);
    expect(await task.deliveries()).toMatchObject({
      total: 3,
      deliveryId: task.received[0]?.id,
      attempts: [
        { number: 3, result: 'delivered', status: 204 },
        { number: 2, result: 'failed', reason: 'status', status: 503 },
        { number: 1, result: 'failed', reason: 'status', status: 503 },
      ],
    });
  });

  it('waits as long as the receiver asks for', async () => {
    const receiver: Receiver = (attempt) =>
      attempt === 1 ? { kind: 'failed', reason: 'status', status: 429, retryAfterMs: 600 } : delivered;
    const task = await tasks.begin({ receiver });
    await task.result();
    const [first, second] = task.received;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(600);
  });

  it('is tried again after an attempt that broke, and that counts as lost', async () => {
    const receiver: Receiver = (attempt) => {
      if (attempt === 1) throw new Error('a defect');
      return delivered;
    };
    const task = await tasks.begin({ receiver });
    expect(await task.result()).toMatchObject({ outcome: 'delivered', attempts: 2 });
    expect((await task.deliveries()).attempts.map(({ result }) => result)).toEqual(['delivered', 'lost']);
    expect(tasks.observed.results.filter((kind) => kind === 'lost')).toHaveLength(1);
  });

  it('ends dead at once where no attempt can ever succeed', async () => {
    const task = await tasks.begin({ receiver: () => ({ kind: 'dead', reason: 'status', status: 410 }) });
    expect(await task.result()).toEqual({ outcome: 'dead', reason: 'status', status: 410, attempts: 1 });
  });

  it('ends by Temporal’s own cancel, also while an attempt runs that fails', async () => {
    const waiting = await tasks.begin({ dueInMs: hour });
    await waiting.handle.cancel();
    expect(await waiting.result()).toEqual({ outcome: 'cancelled', attempts: 0 });
    const held = createHeld();
    const task = await tasks.begin({ receiver: held.receiver });
    await held.reached;
    await task.handle.cancel();
    await task.hasHeard('EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED');
    held.answer(failed);
    expect(await task.result()).toEqual({ outcome: 'cancelled', attempts: 1 });
  });

  it('goes on after its worker was away', async () => {
    const worker = await tasks.startWorker();
    const task = await tasks.begin({ taskQueue: worker.taskQueue, dueInMs: 1 });
    await worker.stop();
    await tasks.startWorker(worker.taskQueue);
    expect(await task.result()).toMatchObject({ outcome: 'delivered' });
    expect(task.received).toHaveLength(1);
  });
});

describe.concurrent('a dead letter', () => {
  it('is delivered again with all its attempts anew', async () => {
    const task = await tasks.begin({ receiver: refusesFirst(2) });
    await task.reaches('dead-letter');
    expect(task.received).toHaveLength(2);
    expect((await task.deliveries()).nextAttemptAt).toBeUndefined();
    expect(await task.ask('reschedule', { dueAt: new Date().toISOString() })).toBe('too-late');
    expect(await task.ask('run-now')).toBe('action-not-allowed');
    expect(await task.ask('redeliver')).toEqual({ accepted: true });
    expect(await task.result()).toMatchObject({ outcome: 'delivered', attempts: 3 });
    expect(new Set(task.received.map(({ id, body }) => id + body)).size).toBe(1);
  });

  it('becomes one again where all attempts fail again, and can be cancelled', async () => {
    const task = await tasks.begin({ receiver: refuses });
    await task.reaches('dead-letter');
    await task.ask('redeliver');
    await until(
      () => task.received.length,
      (count) => count === 4,
    );
    await task.reaches('dead-letter');
    expect(await task.ask('cancel')).toEqual({ accepted: true });
    expect(await task.result()).toEqual({ outcome: 'cancelled', by: approver.sub, attempts: 4 });
  });

  it('ends dead once nobody has delivered it again for as long as the setting says', async () => {
    const before = impatient.observed.deadLetters;
    const task = await impatient.begin({ receiver: refuses });
    expect(await task.result()).toEqual({ outcome: 'dead', reason: 'status', status: 503, attempts: 2 });
    expect(impatient.observed.deadLetters).toBe(before + 1);
  });
});

describe.concurrent('the expiry', () => {
  it('ends a task whose retries have not come to anything', async () => {
    const task = await tasks.begin({ receiver: refuses, delays: [hour], expiresInMs: 800 });
    expect(await task.result()).toEqual({ outcome: 'expired', attempts: 1 });
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(task.details.expiresAt ?? ''));
  });

  it('ends a dead letter', async () => {
    const task = await tasks.begin({ receiver: refuses, maxAttempts: 1, expiresInMs: 800 });
    await task.reaches('dead-letter');
    expect(await task.result()).toEqual({ outcome: 'expired', attempts: 1 });
  });

  it('lets no attempt begin after it, however late the worker comes', async () => {
    const worker = await tasks.startWorker();
    await worker.stop();
    const task = await tasks.begin({ taskQueue: worker.taskQueue, expiresInMs: 200, dueInMs: 100 });
    await until(
      () => Date.now(),
      (now) => now > Date.parse(task.details.expiresAt ?? ''),
    );
    await tasks.startWorker(worker.taskQueue);
    expect(await task.result()).toEqual({ outcome: 'expired', attempts: 0 });
    expect(task.received).toEqual([]);
  });
});
