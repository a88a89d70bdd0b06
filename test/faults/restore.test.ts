import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDatabase, type Database } from '../../src/database/database.ts';
import { freezing, letPaymentsFreeze, stuckTransfer } from '../fixtures/stuck-transfers.ts';
import { closed, transferOf, waitingTransfer, withKey } from '../fixtures/transfers.ts';
import { loseRows, type Loss } from '../harness/lost-rows.ts';
import { runMissing } from '../harness/missing-command.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { connectOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const since = new Date(Date.now() - 60_000).toISOString();
const wait = { headers: { prefer: 'wait=60' } };
const bob = { ...wait, subject: 'bob' };
const opened = 100_000_000n;

describe.skipIf(postgresSkipReason() !== undefined)('a restore', () => {
  let deployment: Deployment;
  let server: TestTemporalServer;
  let ledger: Database;
  let folder: string;
  let portico: Portico;
  let tenant: string;
  let tokens: Pick<Parameters<Portico['get']>[1] & object, 'tenant'>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-restore-'));
    await mkdir(join(folder, 'temporal'));
    const databaseFile = join(folder, 'temporal', 'temporal.db');
    [deployment, server] = await Promise.all([createDeployment(), startTemporalServer({ databaseFile })]);
    await letPaymentsFreeze(deployment.ownerUrl);
    ledger = connectDatabase({ url: deployment.auditorUrl, poolMax: 1, logger: silentLogger });
    portico = await start();
    tenant = portico.tenant;
    tokens = { tenant };
    await portico.openAccounts('payer', 'payee');
  });
  afterAll(async () => {
    await portico.stop();
    await ledger.close();
    const { findings } = await deployment.report(tenant);
    expect(findings).toEqual([]);
    await Promise.all([server.stop(), deployment.close()]);
    await rm(folder, { recursive: true, force: true });
  });

  async function start(reconcile: 'report' | 'resume' = 'report'): Promise<Portico> {
    const started = await startPortico({
      stateDir: deployment.keys,
      temporalAddress: server.address,
      environment: {
        ...deployment.environment,
        PORTICO_TRANSFERS_RECONCILE: reconcile,
        PORTICO_TRANSFERS_RECONCILE_INTERVAL: '1s',
        PORTICO_TRANSFERS_RECONCILE_AGE: '1s',
      },
    });
    await started.untilReady();
    return started;
  }

  const pathOf = (id: string) => `/v1/transfers/${id}`;
  const workflowIdOf = (id: string) => `${tenant}/transfers/${id}`;
  const read = async (id: string) => (await portico.get(pathOf(id), tokens)).body;
  const balanceOf = async (id: string): Promise<bigint> =>
    BigInt((await portico.get(`/v1/accounts/${id}`, tokens)).body.balance.minor);
  const reaches = (id: string, step: string) =>
    until(
      () => read(id),
      (body) => body.step === step,
    );
  const ends = async (id: string) => (await closed(portico, pathOf(id), tokens)).body;

  async function completed(minor: string): Promise<string> {
    const id = unique('completed');
    const { body } = await portico.post('/v1/transfers', transferOf(id, { minor }), { ...wait, ...tokens });
    expect(body.outcome).toBe('completed');
    return id;
  }

  /** A transfer of 1 that can be neither delivered nor returned, and its payer. */
  async function stuck() {
    const [from, to] = [unique(`from-${freezing}`), unique('to')];
    await portico.openAccounts(from, to);
    await portico.post(`/v1/accounts/${to}/freeze`, undefined);
    const { transferId } = await stuckTransfer(portico, { from, to });
    return { id: transferId, from };
  }

  it('of the ledger alone: what was in flight ends as the ledger stands, and what was told is named and made good', async () => {
    const lose = (transferId: string, loss: Loss) => loseRows(ledger, { tenant, transferId }, loss);
    const kept = await completed('1');
    const [rowLost, endLost] = [await completed('20'), await completed('300')];
    const [waiting, waitingLost] = [await waitingTransfer(portico), await waitingTransfer(portico)];
    const [stuckWithoutMoney, stuckWithoutRow] = [await stuck(), await stuck()];

    await lose(rowLost, 'everything');
    await lose(endLost, 'money');
    await ledger.transaction(async (tx) => {
      await tx.query("set local session_replication_role = 'replica'");
      const values = 'outcome = null, result = null, ended_at = null';
      await tx.query(`update transfers set ${values} where transfer_id = $1`, [endLost]);
    });
    await lose(waitingLost, 'everything');
    await lose(stuckWithoutMoney.id, 'money');
    await lose(stuckWithoutRow.id, 'everything');
    expect(await balanceOf('payee')).toBe(opened + 1n);

    const settings = { TEMPORAL_ADDRESS: server.address, DATABASE_URL: deployment.environment.DATABASE_URL };
    const { code, lines } = await runMissing(since, settings);
    expect(code).toBe(1);
    const named = lines.flatMap(({ transferId, missing }) => (transferId === undefined ? [] : [[transferId, missing]]));
    expect(new Map(named as [string, string][])).toEqual(
      new Map([
        [rowLost, 'row'],
        [endLost, 'outcome'],
      ]),
    );

    for (const { id, from } of [stuckWithoutMoney, stuckWithoutRow]) {
      await portico.post(`/v1/accounts/${from}/unfreeze`, undefined);
      await portico.post(`${pathOf(id)}/resolve`, { how: 'retry' }, withKey());
      expect(await ends(id)).toMatchObject({ outcome: 'compensated' });
      expect(await balanceOf(from)).toBe(opened);
    }
    for (const id of [waiting, waitingLost]) {
      expect((await portico.post(`${pathOf(id)}/approve`, {}, bob)).body.outcome).toBe('completed');
    }
    const operator = await connectOperator(server.address);
    for (const id of [rowLost, endLost]) {
      await operator.reset(workflowIdOf(id));
      expect(await ends(id)).toMatchObject({ outcome: 'completed' });
    }
    await operator.close();
    expect((await runMissing(since, settings)).code).toBe(0);
    expect((await read(kept)).outcome).toBe('completed');
    expect(await balanceOf('payee')).toBe(opened + 1n + 20n + 300n + 2n * 2_000_000n);
    expect(await balanceOf('payer')).toBe(opened - 1n - 20n - 300n - 2n * 2_000_000n);
    expect((await deployment.report(tenant)).findings).toEqual([]);
  });

  it('of Temporal alone: what it still knows ends as the ledger says, and what it forgot is answered and resumed from its row', async () => {
    const before = await balanceOf('payee');
    const [approved, cancelled, open] = [
      await waitingTransfer(portico),
      await waitingTransfer(portico),
      await waitingTransfer(portico),
    ];
    // SQLite keeps its newest pages in a second file.
    const [files, backup] = [join(folder, 'temporal'), join(folder, 'backup')];
    // Halted, the server writes nothing between the copies of the two.
    process.kill(server.pid(), 'SIGSTOP');
    await cp(files, backup, { recursive: true });
    process.kill(server.pid(), 'SIGCONT');

    // What the ledger keeps and the backup does not know.
    expect((await portico.post(`${pathOf(approved)}/approve`, {}, { ...bob, ...tokens })).body.outcome).toBe(
      'completed',
    );
    expect((await portico.post(`${pathOf(cancelled)}/cancel`, {}, { ...wait, ...tokens })).body.outcome).toBe(
      'cancelled',
    );
    const done = await completed('4000');
    const forgotten = await waitingTransfer(portico, {}, tokens);

    await portico.stop();
    await server.kill();
    await rm(files, { recursive: true });
    await cp(backup, files, { recursive: true });
    await server.restart();
    portico = await start('resume');

    expect((await portico.get(pathOf(done), tokens)).status).toBe(404);
    const again = await portico.post('/v1/transfers', transferOf(done, { minor: '4000' }), { ...wait, ...tokens });
    expect(again.body.outcome).toBe('completed');
    await reaches(forgotten, 'awaiting-approval');
    await reaches(open, 'awaiting-approval');
    for (const id of [forgotten, open]) {
      const reply = await portico.post(`${pathOf(id)}/approve`, {}, { ...bob, ...tokens });
      expect(reply.body.outcome).toBe('completed');
    }
    for (const [id, outcome] of [
      [approved, 'completed'],
      [cancelled, 'cancelled'],
    ] as const) {
      // Whatever is asked of them now, they end as the ledger has it.
      await portico.post(`${pathOf(id)}/approve`, {}, { ...bob, ...tokens });
      expect(await ends(id)).toMatchObject({ outcome });
    }
    expect(await balanceOf('payee')).toBe(before + 4_000n + 3n * 2_000_000n);
    expect((await deployment.report(tenant)).findings).toEqual([]);
  });
});
