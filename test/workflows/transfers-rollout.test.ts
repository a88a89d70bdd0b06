import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGate } from '../harness/adapter-calls.ts';
import { openTransfers, type Transfers } from '../harness/transfers.ts';
import { fixtureWorkflows } from '../harness/workers.ts';
import { temporalAddress } from '../servers/temporal.ts';

/** Transfers of both implementations, whose workers are of this release or of the one before. */
let byStep: Transfers;
let atOnce: Transfers;

beforeAll(async () => {
  const address = temporalAddress();
  [byStep, atOnce] = await Promise.all([
    openTransfers({ address }),
    openTransfers({ address, implementation: 'transfersAtOnce' }),
  ]);
});
afterAll(() => Promise.all([byStep.close(), atOnce.close()]));

const before = fixtureWorkflows('workflows-before-at-once');
const aQueue = () => `rollout-${randomUUID()}`;
const moved = { payer: 4_998_750n, payee: 1_250n };
const taskFailed = 'EVENT_TYPE_WORKFLOW_TASK_FAILED';

describe.concurrent('during a rollout', () => {
  it('a worker of the release before refuses a task of the new implementation, and a new worker takes it', async () => {
    const taskQueue = aQueue();
    const old = await atOnce.startWorker(taskQueue, [], before);
    const transfer = await atOnce.begin({ taskQueue });
    await transfer.hasHeard(taskFailed);
    expect((await transfer.read()).status).toBe('RUNNING');
    expect(transfer.callsOf('transferAtOnce')).toBe(0);
    await atOnce.startWorker(taskQueue);
    await old.stop();
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual(moved);
  });

  it('workers of both releases end every new instance, whichever takes it first', async () => {
    const taskQueue = aQueue();
    await Promise.all([atOnce.startWorker(taskQueue, [], before), atOnce.startWorker(taskQueue)]);
    const begun = await Promise.all(Array.from({ length: 6 }, () => atOnce.begin({ taskQueue })));
    for (const transfer of begun) {
      expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
      expect(await transfer.balances()).toEqual(moved);
    }
  });

  it('an instance of the release before ends on a new worker by the steps that it began with', async () => {
    const taskQueue = aQueue();
    const gate = createGate({ at: 'entry' });
    const old = await byStep.startWorker(taskQueue, [], before);
    const transfer = await byStep.begin({ taskQueue, calls: { deposit: gate.hold } });
    await gate.reached;
    const stopped = old.stop();
    gate.open();
    await stopped;
    await byStep.startWorker(taskQueue);
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(transfer.callsOf('transferAtOnce')).toBe(0);
    expect(await transfer.balances()).toEqual(moved);
  });
});

describe.concurrent('after a rollback of the workers', () => {
  it('an instance in flight stands still with its money safe, and ends once a new worker is back', async () => {
    const taskQueue = aQueue();
    const gate = createGate({ at: 'exit' });
    const first = await atOnce.startWorker(taskQueue);
    const transfer = await atOnce.begin({ taskQueue, calls: { withdraw: gate.hold } });
    await gate.reached;
    const stopped = first.stop();
    gate.open();
    await stopped;
    const old = await atOnce.startWorker(taskQueue, [], before);
    await transfer.hasHeard(taskFailed);
    expect((await transfer.read()).status).toBe('RUNNING');
    expect(await transfer.clearing()).toBe(1_250n);
    await atOnce.startWorker(taskQueue);
    await old.stop();
    expect(await transfer.result()).toMatchObject({ outcome: 'completed' });
    expect(await transfer.balances()).toEqual(moved);
  });

  it('an instance that nobody can go on with is taken over by steps, once it is terminated and begun again', async () => {
    const taskQueue = aQueue();
    const gate = createGate({ at: 'exit' });
    const first = await atOnce.startWorker(taskQueue);
    const stranded = await atOnce.begin({ taskQueue, calls: { withdraw: gate.hold } });
    await gate.reached;
    const stopped = first.stop();
    gate.open();
    await stopped;
    await stranded.handle.terminate('rolled back');
    await atOnce.startWorker(taskQueue, [], before);
    const again = await atOnce.begin({ ...stranded.given, calls: {}, after: stranded, implementation: 'transfers' });
    expect(await again.result()).toMatchObject({ outcome: 'completed' });
    expect(await again.balances()).toEqual(moved);
  });
});
