import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createUnresolvedTransfers } from '../../src/adapters/ledger/unresolved.ts';
import { transferSettings } from '../../src/catalog/transfer-settings.ts';
import { connectDatabase } from '../../src/database/database.ts';
import { withShares } from '../../src/definition/implementation.ts';
import { createConnection } from '../../src/orchestration/connection.ts';
import { createGateway } from '../../src/orchestration/gateway.ts';
import { startReconciler } from '../../src/worker/reconciler.ts';
import { freezing, letPaymentsFreeze, stuckTransfer } from '../fixtures/stuck-transfers.ts';
import { aboveLimit, closed, transferOf, waitingTransfer, withKey } from '../fixtures/transfers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { settingsWith } from '../harness/settings.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason, withClient } from '../servers/postgres.ts';
import { temporalAddress } from '../servers/temporal.ts';

const path = '/v1/transfers';
const wait = { headers: { prefer: 'wait=20' } };

describe.skipIf(postgresSkipReason() !== undefined)('the reconciler', () => {
  let deployment: Deployment;
  let operator: TemporalOperator;
  /** Serves, and only reports. */
  let portico: Portico;
  const stops: (() => Promise<void>)[] = [];

  /** So many replicas that resume. A process can have one pool of workers only, so these have none. */
  function startReconcilers(count: number): void {
    const declared = portico.definitions.filter(({ permanentRow }) => permanentRow !== undefined);
    const [definition] = withShares(declared, settingsWith(transferSettings, {}));
    if (definition === undefined) throw new Error('no process has permanent rows');
    const deadlines = { startMs: 25_000, readMs: 25_000, actionMs: 25_000 };
    const { connection, close } = createConnection({
      settings: { address: temporalAddress() },
      observe: () => undefined,
    });
    stops.push(close);
    const gateway = createGateway({ connection, namespace: 'default', deadlines });
    for (let started = 0; started < count; started += 1) {
      const url = deployment.environment.DATABASE_URL;
      const database = connectDatabase({ url, poolMax: 2, logger: silentLogger });
      const rows = createUnresolvedTransfers(database);
      const reconciliation = { rows, mode: 'resume', everyMs: 100, ageMs: 1_000 } as const;
      const options = { definition, reconciliation, gateway, count: () => undefined, logger: silentLogger };
      const reconciler = startReconciler(options);
      stops.push(() => reconciler.stop().then(() => database.close()));
    }
  }

  beforeAll(async () => {
    deployment = await createDeployment();
    const environment = {
      ...deployment.environment,
      PORTICO_TRANSFERS_RECONCILE: 'report',
      PORTICO_TRANSFERS_RECONCILE_INTERVAL: '1s',
      PORTICO_TRANSFERS_RECONCILE_AGE: '1s',
    };
    [portico, operator] = await Promise.all([
      startPortico({ stateDir: deployment.keys, environment }),
      connectOperator(temporalAddress()),
    ]);
    await portico.untilReady();
    await letPaymentsFreeze(deployment.ownerUrl);
    await portico.openAccounts('payer', 'payee');
  });
  afterEach(async () => {
    await Promise.all(stops.splice(0).map((stop) => stop()));
  });
  afterAll(async () => {
    await portico.stop();
    await operator.close();
    const { findings } = await deployment.report(portico.tenant);
    expect(findings).toEqual([]);
    await deployment.close();
  });

  const workflowIdOf = (id: string) => `${portico.tenant}/transfers/${id}`;
  const read = async (id: string) => (await portico.get(`${path}/${id}`)).body;
  const metric = async (name: string): Promise<number> => {
    const { text } = await portico.admin('/metrics');
    const found = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (.+)$`, 'gm'))];
    return found.reduce((sum, [, value]) => sum + Number(value), 0);
  };

  /** Resolves once the reporting replica has seen the interrupted transfer at least twice. */
  const reported = () =>
    until(
      () => metric('portico_reconciled_total\\{[^}]*result="reported"[^}]*\\}'),
      (count) => count >= 2,
    );

  /** Transfers whose money is in clearing, and their accounts, which are frozen. */
  async function withMoneyInClearing() {
    const accounts = { from: unique(`from-${freezing}`), to: unique('to') };
    await portico.openAccounts(accounts.from, accounts.to);
    await portico.post(`/v1/accounts/${accounts.to}/freeze`, undefined);
    const { transferId } = await stuckTransfer(portico, accounts);
    return { ids: [transferId], accounts };
  }

  const balancesOf = async ({ from, to }: { from: string; to: string }): Promise<number[]> =>
    Promise.all([from, to].map(async (id) => Number((await portico.get(`/v1/accounts/${id}`)).body.balance.minor)));

  it('leaves what stopped alone where it only reports, and resumes it otherwise, with exact money', async () => {
    const { ids, accounts } = await withMoneyInClearing();
    const first = new Map<string, { runId: string }>();
    for (const id of ids) {
      first.set(id, await read(id));
      await operator.terminate(workflowIdOf(id));
    }
    const runs = () => Promise.all(ids.map((id) => operator.currentRun(workflowIdOf(id))));
    const stopped = await runs();
    await reported();
    await until(
      () => Promise.all(['portico_money_unresolved', 'portico_instances_interrupted'].map(metric)),
      (gauges) => gauges.every((gauge) => gauge === ids.length),
    );
    expect(await runs()).toEqual(stopped);
    for (const id of ids) expect(await read(id)).toMatchObject({ status: 'running', step: 'interrupted' });

    startReconcilers(1);
    for (const id of ids) {
      await until(
        () => read(id),
        ({ step }) => step === 'compensation-stuck',
      );
    }
    await portico.post(`/v1/accounts/${accounts.from}/unfreeze`, undefined);
    for (const id of ids) {
      await portico.post(`${path}/${id}/resolve`, { how: 'retry' }, withKey());
      const { body } = await closed(portico, `${path}/${id}`);
      expect(body).toMatchObject({ outcome: 'compensated', runId: first.get(id)?.runId });
    }
    expect(await balancesOf(accounts)).toEqual([100_000_000, 100_000_000]);
    await until(
      () => Promise.all(['portico_money_unresolved', 'portico_money_unresolved_minor'].map(metric)),
      (gauges) => gauges.every((gauge) => gauge === 0),
    );
  });

  it('starts again what Temporal has forgotten, from the row alone', async () => {
    const id = await waitingTransfer(portico, { requestedBy: 'carol', reference: 'rent' });
    await operator.terminate(workflowIdOf(id));
    await operator.forget(workflowIdOf(id));
    startReconcilers(1);
    await until(
      () => read(id),
      ({ step }) => step === 'awaiting-approval',
    );
    const again = await portico.post(path, transferOf(id, { ...aboveLimit, requestedBy: 'carol', reference: 'rent' }));
    expect(again.headers.get('idempotency-status')).toBe('joined');
    for (const subject of ['alice', 'carol']) {
      expect((await portico.post(`${path}/${id}/approve`, {}, { subject })).status).toBe(403);
    }
    const { body } = await portico.post(`${path}/${id}/approve`, {}, { ...wait, subject: 'bob' });
    expect(body.outcome).toBe('completed');
  });

  it('leaves alone what callers were told as ended, also once Temporal has forgotten that', async () => {
    const id = await waitingTransfer(portico);
    expect((await portico.post(`${path}/${id}/cancel`, {}, wait)).body.outcome).toBe('cancelled');
    const asAuditor = (statement: string) =>
      withClient(deployment.auditorUrl, async (client) => (await client.query(statement, [id])).rows);
    await withClient(deployment.auditorUrl, async (client) => {
      await client.query("set session_replication_role = 'replica'");
      await client.query('update transfers set outcome = null, result = null, ended_at = null where transfer_id = $1', [
        id,
      ]);
    });
    startReconcilers(1);
    const looks = async () => {
      const [row] = await asAuditor('select fence, found from transfer_reconciliations where transfer_id = $1');
      return { count: Number(row?.fence ?? 0), isDone: Boolean(row?.found) };
    };
    await until(looks, ({ isDone }) => isDone);
    await operator.forget(workflowIdOf(id));
    const { count } = await looks();
    await until(looks, (later) => later.count > count + 2);
    expect(await operator.currentRun(workflowIdOf(id))).toBeUndefined();
    expect(await asAuditor('select found, told_final from transfer_reconciliations where transfer_id = $1')).toEqual([
      { found: 'told-final', told_final: true },
    ]);
    // A caller may start it again.
    expect((await portico.post(path, transferOf(id, aboveLimit))).status).toBe(202);
    expect((await portico.post(`${path}/${id}/cancel`, {}, wait)).body.outcome).toBe('cancelled');
  });

  it('takes an id back that another payload had taken after retention', async () => {
    const id = await waitingTransfer(portico);
    await operator.terminate(workflowIdOf(id));
    await operator.forget(workflowIdOf(id));
    const wrong = await portico.post(path, transferOf(id, { ...aboveLimit, reference: 'wrong' }), wait);
    expect(wrong.body.outcome).toBe('conflict');
    startReconcilers(1);
    await until(
      () => read(id),
      ({ step }) => step === 'awaiting-approval',
    );
    expect((await portico.post(path, transferOf(id, { ...aboveLimit, reference: 'wrong' }))).status).toBe(422);
    expect((await portico.post(`${path}/${id}/cancel`, {}, wait)).body.outcome).toBe('cancelled');
  });

  it('resumes once, however many replicas sweep, and leaves alone what runs', async () => {
    const running = await waitingTransfer(portico);
    const runs = await operator.currentRun(workflowIdOf(running));
    const stopped = await Promise.all(Array.from({ length: 5 }, () => waitingTransfer(portico)));
    for (const id of stopped) await operator.terminate(workflowIdOf(id));
    startReconcilers(2);
    for (const id of stopped) {
      await until(
        () => read(id),
        ({ step }) => step === 'awaiting-approval',
      );
      const entries = async () =>
        (await operator.instancesOf(portico.tenant, 'transfers')).filter((each) => each === workflowIdOf(id));
      await until(entries, (found) => found.length > 1);
      expect(await entries(), id).toHaveLength(2);
      expect((await portico.post(`${path}/${id}/cancel`, {}, wait)).body.outcome).toBe('cancelled');
    }
    expect(await operator.currentRun(workflowIdOf(running))).toBe(runs);
    await portico.post(`${path}/${running}/cancel`, {}, wait);
  });

  it('keeps away from what an operator holds back, until it is released', async () => {
    const id = await waitingTransfer(portico);
    const hold = `${path}/${id}/hold`;
    await operator.terminate(workflowIdOf(id));
    expect((await portico.get(hold)).status).toBe(404);
    const held = await portico.put(hold, { note: 'ask the bank first' }, { subject: 'olga' });
    expect([held.status, held.body]).toMatchObject([201, { note: 'ask the bank first', by: 'olga' }]);
    expect((await portico.put(hold, { note: 'ask the bank first' }, { subject: 'olga' })).status).toBe(200);
    expect((await portico.get(hold)).body).toEqual(held.body);
    expect(await read(id)).toMatchObject({ step: 'interrupted', hold: { note: 'ask the bank first', by: 'olga' } });
    expect((await portico.put(hold, { note: 'x' }, { permissions: ['transfers:read'] })).status).toBe(403);
    expect((await portico.put(`${path}/${unique('none')}/hold`, { note: 'x' })).status).toBe(404);
    await until(
      () => metric('portico_instances_held'),
      (count) => count === 1,
    );

    startReconcilers(1);
    const other = await waitingTransfer(portico);
    await operator.terminate(workflowIdOf(other));
    await until(
      () => read(other),
      ({ step }) => step === 'awaiting-approval',
    );
    expect(await read(id)).toMatchObject({ step: 'interrupted' });

    expect((await portico.request('DELETE', hold, { subject: 'otto' })).status).toBe(204);
    expect((await portico.request('DELETE', hold)).status).toBe(404);
    await until(
      () => read(id),
      ({ step }) => step === 'awaiting-approval',
    );
    for (const each of [id, other]) await portico.post(`${path}/${each}/cancel`, {}, wait);
    expect((await portico.put(hold, { note: 'x' })).body.code).toBe('too-late');
    const kept = await withClient(deployment.auditorUrl, (client) =>
      client.query('select held_by_sub, released_by_sub from transfer_holds where transfer_id = $1', [id]),
    );
    expect(kept.rows).toEqual([{ held_by_sub: 'olga', released_by_sub: 'otto' }]);
  });
});
