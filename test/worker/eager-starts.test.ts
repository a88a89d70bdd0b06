import { randomUUID } from 'node:crypto';
import proto from '@temporalio/proto';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { watchHealth } from '../../src/orchestration/health.ts';
import { createStarts } from '../../src/orchestration/start.ts';
import { createEagerStarts, type EagerResult } from '../../src/worker/eager-starts.ts';
import { probesV1 } from '../fixtures/probes.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { fixtureWorkflows } from '../harness/workers.ts';
import { sharedBundle } from '../servers/bundles.ts';
import { startFakeFrontend } from '../servers/fake-frontend.ts';
import { temporalAddress } from '../servers/temporal.ts';

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

/** Starts at that server, eagerly where that is worth it. The queue has a worker where it has slots. */
async function openStarts({ address, slots }: { address: string; slots?: number }) {
  const taskQueue = `eager-${randomUUID()}`;
  const native = await NativeConnection.connect({ address });
  releases.push(() => native.close());
  if (slots !== undefined) {
    const worker = await Worker.create({
      ...{ connection: native, taskQueue, workflowBundle: await sharedBundle(fixtureWorkflows('probe-workflows')) },
      sinks: { instances: { ended: { fn: () => undefined } } },
      maxConcurrentWorkflowTaskExecutions: slots,
      workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 },
    });
    const run = worker.run();
    releases.push(async () => {
      worker.shutdown();
      await run;
    });
  }
  const results: EagerResult[] = [];
  const eagerStarts = createEagerStarts({ observe: () => undefined, count: (result) => results.push(result) });
  const health = watchHealth(native);
  eagerStarts.open({ connection: native, health, taskQueues: [taskQueue] });
  const { connection, close } = createConnection({ settings: { address, tls: false }, observe: () => undefined });
  releases.push(close, health.stop, eagerStarts.shut);
  const { start } = createStarts({
    ...{ connection, namespace: 'default', eagerStarts },
    deadlines: { startMs: 5_000, readMs: 5_000, actionMs: 5_000 },
  });
  await expect.poll(() => eagerStarts.isOpen(taskQueue)).toBe(true);
  const tenant = `t-${randomUUID().slice(0, 8)}`;
  const definition = { ...probesV1, taskQueue };
  return {
    tenant,
    results,
    startOne: async (key: string): Promise<string> => {
      const input = { probeId: key, mode: 'finish' };
      const call = { definition, tenant, key, body: input, input, startedBy: { iss: 'i', sub: 's' } };
      return (await start(call)).kind;
    },
  };
}

const keys = (count: number) => Array.from({ length: count }, (_, index) => `k-${index}`);

describe('an eager start on a real server', () => {
  let operator: TemporalOperator;
  beforeAll(async () => {
    operator = await connectOperator(temporalAddress());
  });
  afterAll(() => operator.close());

  it('is known as granted by its answer, as the history has it', async () => {
    const { tenant, results, startOne } = await openStarts({ address: temporalAddress(), slots: 40 });
    for (const key of keys(10)) {
      expect(await startOne(key)).toBe('created');
      const isGranted = results.at(-1) === 'granted';
      expect(isGranted).toBe(await operator.wasEager(`${tenant}/probes/${key}`));
    }
    expect(results).toEqual(Array.from({ length: 10 }, () => 'granted'));
  });

  it('is known as not granted where the worker has no free slot, and is asked for no more', async () => {
    // The two polls hold both slots.
    const { tenant, results, startOne } = await openStarts({ address: temporalAddress(), slots: 2 });
    for (const key of keys(40)) expect(await startOne(key)).toBe('created');
    expect(await operator.wasEager(`${tenant}/probes/k-0`)).toBe(false);
    // A probe more, where the machine is slow.
    expect(results.filter((result) => result === 'not-granted').length).toBeLessThanOrEqual(34);
    expect(results.length).toBeGreaterThanOrEqual(32);
    expect(results).not.toContain('granted');
  });
});

it('a server that grants no first task gets most starts over the plain connection', async () => {
  let came = 0;
  const bytes = proto.temporal.api.workflowservice.v1.StartWorkflowExecutionResponse.encode({ runId: 'r' }).finish();
  const frontend = await startFakeFrontend({ StartWorkflowExecution: () => ((came += 1), bytes) });
  releases.push(frontend.stop);
  const { results, startOne } = await openStarts({ address: frontend.address });
  for (const key of keys(200)) expect(await startOne(key)).toBe('created');
  expect(came).toBe(200);
  expect(results.length).toBeGreaterThanOrEqual(32);
  expect(results.length).toBeLessThan(50);
});
