import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { isWithoutEffect } from '../../src/orchestration/failures.ts';
import { unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { temporalAddress } from '../servers/temporal.ts';

describe('a call over a connection that is lost', () => {
  let proxy: TcpProxy;
  let ours: ReturnType<typeof createConnection>;
  let operator: TemporalOperator;
  beforeAll(async () => {
    operator = await connectOperator(temporalAddress());
    proxy = await startTcpProxy(Number(temporalAddress().split(':')[1]));
    ours = createConnection({ settings: { address: proxy.address }, observe: () => undefined });
  });
  afterAll(async () => {
    await ours.close();
    await proxy.close();
    await operator.close();
  });

  const startOf = (workflowId: string) => ({
    namespace: 'default',
    workflowId,
    workflowType: { name: 'nobody' },
    taskQueue: { name: 'nobody' },
    requestId: workflowId,
  });
  /** What a caller would be told of a start: true for no effect. */
  const send = (workflowId: string): Promise<boolean> =>
    ours.connection
      .within({ deadlineMs: 10_000 })
      .workflowService.startWorkflowExecution(startOf(workflowId))
      .then(() => false, isWithoutEffect);
  const exists = async (workflowId: string) => (await operator.currentRun(workflowId)) !== undefined;

  it('is in doubt where it was sent, also among others that were not', async () => {
    await ours.connection.within({ deadlineMs: 10_000 }).workflowService.getSystemInfo({});
    await proxy.inject('hold-answers');
    const landed = unique('landed');
    const call = send(landed);
    await until(
      () => exists(landed),
      (isThere) => isThere,
    );
    await proxy.inject('refuse');
    const state = { isOver: false };
    const verdict = call.finally(() => (state.isOver = true));
    const others: { id: string; verdict: Promise<boolean> }[] = [];
    while (!state.isOver) {
      const id = unique('unsent');
      others.push({ id, verdict: send(id) });
      await sleep(20);
    }
    expect(await verdict, 'the call that landed is said to have had no effect').toBe(false);

    const unsent: string[] = [];
    for (const other of others) if (await other.verdict) unsent.push(other.id);
    expect(unsent.length).toBeGreaterThan(0);
    await proxy.heal();
    for (const id of unsent) expect(await exists(id), id).toBe(false);
    await operator.terminate(landed);
  });
});
