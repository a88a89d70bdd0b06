import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cancelDuringAttempt,
  createHeld,
  type DelayedTasks,
  openDelayedTasks,
  refuses,
  refusesFirst,
} from '../harness/delayed-tasks.ts';
import { approver } from '../harness/instance-messages.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let tasks: DelayedTasks;
beforeAll(async () => {
  tasks = await openDelayedTasks({ address: temporalAddress() });
});
afterAll(() => tasks.close());

const hour = 3_600_000;
const accepted = { accepted: true };

describe.concurrent('a task that waits', () => {
  it('is delivered now where somebody says so, and shows that as its time', async () => {
    const task = await tasks.begin({ dueInMs: 5 * 365 * 24 * hour });
    const askedAtMs = Date.now();
    expect(await task.ask('run-now')).toEqual(accepted);
    expect(await task.result()).toMatchObject({ outcome: 'delivered', attempts: 1 });
    const { details, fingerprint } = (await task.read()).memo;
    expect(Date.parse(details.dueAt)).toBeGreaterThanOrEqual(askedAtMs - 1_000);
    expect(Date.parse(details.dueAt)).toBeLessThan(askedAtMs + 60_000);
    // The rest of the memo is as it was.
    expect(fingerprint).toBe(`f1.${task.key}`);
  });

  it('is due at another time, sooner or later, and shows it', async () => {
    const task = await tasks.begin({ dueInMs: hour });
    const later = new Date(Date.now() + 2 * hour).toISOString();
    expect(await task.ask('reschedule', { dueAt: later })).toEqual({ dueAt: later });
    expect((await task.read()).memo.details).toEqual({ ...task.details, dueAt: later });
    expect((await task.deliveries()).nextAttemptAt).toBe(later);
    expect(task.received).toEqual([]);
    await task.reschedule(300);
    const { dueAt } = (await task.read()).memo.details;
    expect(await task.result()).toMatchObject({ outcome: 'delivered' });
    expect(task.received[0]?.atMs).toBeGreaterThanOrEqual(Date.parse(dueAt));
    expect(JSON.parse(task.received[0]?.body ?? '')).toMatchObject({ dueAt });
  });

  it('is cancelled, and then takes nothing more', async () => {
    const task = await tasks.begin({ dueInMs: hour });
    expect(await task.ask('redeliver')).toBe('action-not-allowed');
    expect(await task.ask('cancel')).toEqual(accepted);
    expect(await task.result()).toEqual({ outcome: 'cancelled', by: approver.sub, attempts: 0 });
    for (const action of ['cancel', 'run-now', 'redeliver']) expect(await task.ask(action)).toBe('too-late');
    expect(task.received).toEqual([]);
  });

  it.each([
    ['run-now', 'cancel'],
    ['cancel', 'run-now'],
  ])('takes one of two decisions that come together, %s and %s, and tells the other', async (first, second) => {
    const worker = await tasks.startWorker();
    const task = await tasks.begin({ taskQueue: worker.taskQueue, dueInMs: hour });
    await until(task.deliveries, () => true);
    await worker.stop();
    // Both wait for one workflow task of the next worker.
    const asked = new Map([[first, task.ask(first)]]);
    // Two answers later the server has the first of them, most likely.
    for (let count = 0; count < 2; count += 1) await task.handle.describe();
    asked.set(second, task.ask(second));
    await tasks.startWorker(worker.taskQueue);
    const [ran, cancelled] = await Promise.all([asked.get('run-now'), asked.get('cancel')]);
    const { outcome } = await task.result();
    if (outcome === 'cancelled') expect([ran, cancelled, task.received.length]).toEqual(['too-late', accepted, 0]);
    else expect([outcome, ran, cancelled, task.received.length]).toEqual(['delivered', accepted, 'too-late', 1]);
  });
});

describe.concurrent('during an attempt', () => {
  it('a cancel waits for its end, and is too late where it delivers', async () => {
    const { task, answer } = await cancelDuringAttempt(tasks, { kind: 'delivered' });
    expect(answer).toBe('too-late');
    expect(await task.result()).toMatchObject({ outcome: 'delivered' });
  });

  it('a cancel holds where the attempt fails: none follows', async () => {
    const { task, answer } = await cancelDuringAttempt(tasks, { kind: 'failed', reason: 'timeout' });
    expect(answer).toEqual(accepted);
    expect(await task.result()).toEqual({ outcome: 'cancelled', by: approver.sub, attempts: 1 });
  });

  it('nothing else is taken', async () => {
    const held = createHeld();
    const task = await tasks.begin({ receiver: held.receiver });
    await held.reached;
    expect(await task.reschedule(hour)).toBe('too-late');
    expect(await task.ask('run-now')).toBe('action-not-allowed');
    expect(await task.ask('redeliver')).toBe('action-not-allowed');
    held.answer({ kind: 'delivered' });
    await task.result();
  });
});

describe.concurrent('between two attempts', () => {
  it('the next one begins now where somebody says so', async () => {
    const task = await tasks.begin({ receiver: refusesFirst(1), delays: [hour] });
    await task.reaches('retrying');
    expect(Date.parse((await task.deliveries()).nextAttemptAt ?? '')).toBeGreaterThan(Date.now() + hour / 2);
    expect(await task.reschedule(hour)).toBe('too-late');
    expect(await task.ask('run-now')).toEqual(accepted);
    expect(await task.result()).toMatchObject({ outcome: 'delivered', attempts: 2 });
    // The body is of the time at which it was due first.
    expect(new Set(task.received.map(({ body }) => body)).size).toBe(1);
  });

  it('a cancel ends the task', async () => {
    const task = await tasks.begin({ receiver: refuses, delays: [hour] });
    await task.reaches('retrying');
    expect(await task.ask('cancel')).toEqual(accepted);
    expect(await task.result()).toMatchObject({ outcome: 'cancelled', attempts: 1 });
  });
});

describe.concurrent('a task of many actions', () => {
  it('goes on in a new run, with its time, its step, its details and what it has answered', async () => {
    const task = await tasks.begin({ dueInMs: hour, receiver: refusesFirst(1) });
    const first = await task.ask('reschedule', { dueAt: new Date(Date.now() + 2 * hour).toISOString() }, 'first');
    const { firstExecutionRunId } = task.handle as unknown as { firstExecutionRunId: string };
    let last = first;
    let runId = firstExecutionRunId;
    for (let count = 0; count < 400 && runId === firstExecutionRunId; count += 1) {
      const dueAt = new Date(Date.now() + 2 * hour + count).toISOString();
      last = await task.ask('reschedule', { dueAt }, `r${count}`);
      ({ runId } = await task.handle.describe());
    }
    // The new run has heard nothing itself.
    expect(runId).not.toBe(firstExecutionRunId);
    expect((await task.deliveries()).nextAttemptAt).toBe((last as { readonly dueAt: string }).dueAt);
    expect(await task.ask('reschedule', { dueAt: 'not read' }, 'first')).toEqual(first);
    const { memo, step } = await task.read();
    expect([step, memo.fingerprint, memo.details]).toEqual([
      'waiting',
      `f1.${task.key}`,
      { ...task.details, ...(last as object) },
    ]);
    expect(await task.ask('run-now')).toEqual(accepted);
    expect(await task.result()).toMatchObject({ outcome: 'delivered', attempts: 2 });
    expect(new Set(task.received.map(({ id }) => id)).size).toBe(1);
  });
});
