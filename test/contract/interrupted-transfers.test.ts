import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createTransferRecords } from '../../src/adapters/ledger/records.ts';
import { connectDatabase } from '../../src/database/database.ts';
import { freezing, letPaymentsFreeze, stuckTransfer } from '../fixtures/stuck-transfers.ts';
import { transferOf, waitingTransfer } from '../fixtures/transfers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { temporalAddress } from '../servers/temporal.ts';

const path = '/v1/transfers';
const wait = { headers: { prefer: 'wait=20' } };

describe.skipIf(postgresSkipReason() !== undefined)('a transfer that was terminated', () => {
  let deployment: Deployment;
  let portico: Portico;
  let operator: TemporalOperator;
  beforeAll(async () => {
    deployment = await createDeployment();
    [portico, operator] = await Promise.all([
      startPortico({ stateDir: deployment.keys, environment: deployment.environment }),
      connectOperator(temporalAddress()),
    ]);
    await portico.untilReady();
    await letPaymentsFreeze(deployment.ownerUrl);
    await portico.openAccounts('payer', 'payee');
  });
  afterAll(async () => {
    await portico.stop();
    await operator.close();
    await deployment.close();
  });

  const terminate = (id: string) => operator.terminate(`${portico.tenant}/transfers/${id}`);

  /** The items of a list, all pages together, as soon as Temporal's visibility knows of the transfer. */
  const listed = async (query: string, id: string) => {
    const { body } = await portico.get(`${path}?limit=100&${query}`);
    return (body.items as { id: string }[]).find((item) => item.id === id);
  };

  /** A transfer whose money is in clearing; both its accounts are frozen. */
  async function withMoneyInClearing() {
    const [from, to] = [unique(`from-${freezing}`), unique('to')];
    await portico.openAccounts(from, to);
    await portico.post(`/v1/accounts/${to}/freeze`, undefined);
    return stuckTransfer(portico, { from, to });
  }

  /** What the activity does that a terminated instance had begun. */
  async function endInLedger(transferId: string): Promise<void> {
    const url = deployment.environment.DATABASE_URL;
    const database = connectDatabase({ url, poolMax: 1, logger: silentLogger });
    const result = { outcome: 'expired', transferId, amount: { currency: 'EUR', minor: '2000000' } };
    await createTransferRecords(database).endTransfer({ tenant: portico.tenant, transferId, result });
    await database.close();
  }

  it('with money in clearing is told as interrupted, and a start joins it', async () => {
    const transfer = await withMoneyInClearing();
    const at = `${path}/${transfer.transferId}`;
    const { body: before } = await portico.get(at);
    await terminate(transfer.transferId);

    const { body } = await portico.get(at);
    const { runId, startedAt } = before;
    expect(body).toMatchObject({ status: 'running', step: 'interrupted', runId, startedAt });
    expect([body.outcome, body.closedAt, Object.keys(body.links)]).toEqual([undefined, undefined, ['self', 'result']]);
    const result = await portico.get(`${at}/result`, wait);
    expect([result.status, result.body.step]).toEqual([202, 'interrupted']);
    expect(result.headers.get('preference-applied')).toBeNull();
    for (const given of [{}, wait]) {
      const again = await portico.post(path, transfer, given);
      expect([again.status, again.headers.get('idempotency-status')]).toEqual([202, 'joined']);
      expect(again.body).toMatchObject({ status: 'running', step: 'interrupted', runId });
      expect(again.headers.get('preference-applied')).toBeNull();
    }
    expect((await portico.post(path, { ...transfer, reference: 'other' })).status).toBe(422);

    await until(
      () => listed('step=interrupted', transfer.transferId),
      (item) => item !== undefined,
    );
    expect(await listed('', transfer.transferId)).toMatchObject({ status: 'running', step: 'interrupted' });
    for (const query of ['status=closed', 'outcome=terminated', 'status=closed&step=interrupted']) {
      expect(await listed(query, transfer.transferId), query).toBeUndefined();
    }
  });

  it('takes no action until it is resumed, and takes none once its outcome is stored', async () => {
    const id = await waitingTransfer(portico);
    await terminate(id);
    const { status, body } = await portico.post(`${path}/${id}/approve`, {});
    expect([status, body.code, body.effect, body.retryable]).toEqual([409, 'action-not-allowed', 'none', false]);
    expect(body.detail).toContain('interrupted');
    await endInLedger(id);
    expect((await portico.post(`${path}/${id}/approve`, {})).body.code).toBe('too-late');
  });

  it('after its outcome was stored ends as the ledger says', async () => {
    const id = unique('ended');
    const first = await portico.post(path, transferOf(id), wait);
    const waiting = await waitingTransfer(portico);
    await terminate(waiting);
    await endInLedger(waiting);
    const { body } = await portico.get(`${path}/${waiting}/result`);
    expect(body).toMatchObject({ status: 'closed', outcome: 'expired', result: { outcome: 'expired' } });
    expect(body.closedAt).toBeDefined();
    const again = await portico.post(path, transferOf(id));
    expect([again.status, again.headers.get('idempotency-status')]).toEqual([200, 'replayed']);
    expect(again.body.result).toEqual(first.body.result);
  });

  it('before its row was written is interrupted until no late attempt can write it', async () => {
    const id = unique('rowless');
    await deployment.cluster.kill();
    try {
      await portico.post(path, transferOf(id));
      await terminate(id);
      for (const answer of [await portico.get(`${path}/${id}`), await portico.get(`${path}/${id}/result`)]) {
        expect([answer.status, answer.body.code]).toEqual([503, 'database-unavailable']);
      }
      const again = await portico.post(path, transferOf(id));
      expect([again.status, again.body.code, again.body.effect]).toEqual([503, 'database-unavailable', 'unknown']);
      expect((await portico.get(path)).status).toBe(503);
    } finally {
      await deployment.cluster.restart();
    }
    const { body } = await until(
      () => portico.get(`${path}/${id}`),
      ({ status }) => status === 200,
    );
    expect(body).toMatchObject({ status: 'running', step: 'interrupted' });

    const now = Date.now;
    const later = vi.spyOn(Date, 'now').mockImplementation(() => now() + 61_000);
    try {
      const final = await portico.get(`${path}/${id}`);
      expect(final.body).toMatchObject({ status: 'closed', outcome: 'terminated' });
    } finally {
      later.mockRestore();
    }
  });
});
