import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aboveLimit, closed, transferOf } from '../fixtures/transfers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { temporalAddress } from '../servers/temporal.ts';

const path = '/v1/transfers';

describe.skipIf(postgresSkipReason() !== undefined)('where replicas have different shares of an implementation', () => {
  let deployment: Deployment;
  let operator: TemporalOperator;
  const replicas: { none?: Portico; all?: Portico } = {};
  beforeAll(async () => {
    deployment = await createDeployment();
    operator = await connectOperator(temporalAddress());
    const { environment, keys: stateDir } = deployment;
    replicas.none = await startPortico({ stateDir, environment });
    replicas.all = await startPortico({
      stateDir,
      environment: { ...environment, ROLE: 'api', PORTICO_TRANSFERS_AT_ONCE_SHARE: '1' },
    });
    await replicas.none.untilReady();
    await replicas.none.openAccounts('payer', 'payee');
  });
  afterAll(async () => {
    await replicas.all?.stop();
    await replicas.none?.stop();
    await operator.close();
    await deployment.close();
  });

  function replicaWith(share: 'none' | 'all'): Portico {
    const replica = replicas[share];
    if (replica === undefined) throw new Error('the replica did not start');
    return replica;
  }

  async function workflowOf(workflowId: string) {
    const { workflowExecutionInfo } = await operator.connection.workflowService.describeWorkflowExecution({
      namespace: 'default',
      execution: { workflowId },
    });
    return workflowExecutionInfo?.type?.name;
  }

  it.each([
    { begins: 'none', repeats: 'all', workflow: 'transfers' },
    { begins: 'all', repeats: 'none', workflow: 'transfersAtOnce' },
  ] as const)(
    'the replica with $begins begins $workflow, and the other joins it',
    async ({ begins, repeats, workflow }) => {
      const { tenant } = replicaWith('none');
      const id = unique('share');
      const first = await replicaWith(begins).post(path, transferOf(id), { tenant });
      expect([first.status, first.headers.get('idempotency-status')]).toEqual([202, 'created']);
      const again = await replicaWith(repeats).post(path, transferOf(id), { tenant });
      expect(['joined', 'replayed']).toContain(again.headers.get('idempotency-status'));
      expect(again.body.runId).toBe(first.body.runId);
      const ended = await closed(replicaWith(repeats), `${path}/${id}`, { tenant });
      expect(ended.body).toMatchObject({ outcome: 'completed', runId: first.body.runId });
      expect(await workflowOf(`${tenant}/transfers/${id}`)).toBe(workflow);
      const replayed = await replicaWith(repeats).post(path, transferOf(id), { tenant });
      expect([replayed.status, replayed.headers.get('idempotency-status')]).toEqual([200, 'replayed']);
    },
  );

  it('an approval at one is that of a transfer that the other began', async () => {
    const { tenant } = replicaWith('none');
    const id = unique('large');
    const started = await replicaWith('all').post(path, transferOf(id, aboveLimit), { tenant });
    expect(started.status).toBe(202);
    await until(
      () => replicaWith('none').get(`${path}/${id}`, { tenant }),
      ({ body }) => body.step === 'awaiting-approval',
    );
    const approved = await replicaWith('none').post(`${path}/${id}/approve`, {}, { tenant, subject: 'bob' });
    expect(approved.body.output).toEqual({ accepted: true });
    expect((await closed(replicaWith('all'), `${path}/${id}`, { tenant })).body.outcome).toBe('completed');
  });
});
