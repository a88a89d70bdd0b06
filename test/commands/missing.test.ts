import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/commands/command-line.ts';
import { connectDatabase, type Database } from '../../src/database/database.ts';
import { transferOf, waitingTransfer } from '../fixtures/transfers.ts';
import { loseRows, type Loss } from '../harness/lost-rows.ts';
import { runMissing } from '../harness/missing-command.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

describe.skipIf(postgresSkipReason() !== undefined)('the command missing', () => {
  let deployment: Deployment;
  /** The command looks at all tenants of a namespace, so nobody else may be there. */
  let server: TestTemporalServer;
  let operator: TemporalOperator;
  let portico: Portico;
  let ledger: Database;
  let settings: Record<string, string>;
  const since = new Date(Date.now() - 60_000).toISOString();

  beforeAll(async () => {
    [deployment, server] = await Promise.all([createDeployment(), startTemporalServer()]);
    ledger = connectDatabase({ url: deployment.auditorUrl, poolMax: 1, logger: silentLogger });
    settings = { TEMPORAL_ADDRESS: server.address, DATABASE_URL: deployment.environment.DATABASE_URL };
    [portico, operator] = await Promise.all([
      startPortico({
        stateDir: deployment.keys,
        temporalAddress: server.address,
        environment: { ...deployment.environment, PORTICO_TRANSFERS_RECONCILE: 'report' },
      }),
      connectOperator(server.address),
    ]);
    await portico.untilReady();
    await portico.openAccounts('payer', 'payee');
  });
  afterAll(async () => {
    await portico.stop();
    await Promise.all([operator.close(), ledger.close()]);
    await Promise.all([server.stop(), deployment.close()]);
  });

  /** A transfer of that many minor units which has ended as was meant. */
  async function ended(minor: string, outcome = 'completed', other: object = {}): Promise<string> {
    const id = unique('ended');
    const { body } = await portico.post('/v1/transfers', transferOf(id, { minor, ...other }), {
      headers: { prefer: 'wait=60' },
    });
    expect(body.outcome).toBe(outcome);
    return id;
  }

  const lose = (transferId: string, loss: Loss) => loseRows(ledger, { tenant: portico.tenant, transferId }, loss);

  /** Changes what the trigger of the database keeps from changing. */
  const rewrite = (transferId: string, values: string): Promise<void> =>
    ledger.transaction(async (tx) => {
      await tx.query("set local session_replication_role = 'replica'");
      await tx.query(`update transfers set ${values} where transfer_id = $1`, [transferId]);
    });

  it('finds nothing where the ledger keeps what was told', async () => {
    await ended('1');
    await ended('1', 'rejected', { to: 'nobody' });
    const { code, lines, stderr } = await runMissing(since, settings);
    expect([code, lines, stderr]).toEqual([0, [], '']);
  });

  it('names what was told and is not kept, what is missing of it, and totals', async () => {
    const withoutRow = [await ended('200'), await ended('300')];
    const withoutPosting = await ended('70');
    const withoutOutcome = await ended('11');
    const withOther = await ended('5');
    const rejected = await ended('900', 'rejected', { to: 'nobody' });
    const terminated = await waitingTransfer(portico);
    const running = await waitingTransfer(portico);
    await operator.terminate(`${portico.tenant}/transfers/${terminated}`);
    for (const id of [...withoutRow, rejected, terminated, running]) await lose(id, 'everything');
    await lose(withoutPosting, 'delivery');
    await rewrite(withoutOutcome, 'outcome = null, result = null, ended_at = null');
    await rewrite(withOther, `outcome = 'compensated', result = result || '{"outcome":"compensated"}'`);
    // Visibility lags behind.
    const query = `PorticoTenant = '${portico.tenant}' AND ExecutionStatus = 'Terminated'`;
    await until(
      () => operator.connection.workflowService.countWorkflowExecutions({ namespace: 'default', query }),
      ({ count }) => Number(count) === 1,
    );

    const { code, lines, stderr } = await runMissing(since, settings);
    expect([code, stderr]).toEqual([1, '']);
    const found = lines.filter(({ total }) => total === undefined);
    const brief = new Map(found.map(({ transferId, outcome, missing }) => [transferId, `${outcome}: ${missing}`]));
    expect(brief).toEqual(
      new Map([
        ...withoutRow.map((id) => [id, 'completed: row'] as const),
        [withoutPosting, 'completed: posting'],
        [withoutOutcome, 'completed: outcome'],
        [withOther, 'completed: same-outcome'],
        [rejected, 'rejected: row'],
        [terminated, 'terminated: row'],
      ]),
    );
    expect(found).toHaveLength(brief.size);
    expect(found.find(({ transferId }) => transferId === withoutRow[0])).toEqual({
      tenant: portico.tenant,
      process: 'transfers',
      transferId: withoutRow[0],
      outcome: 'completed',
      closedAt: expect.stringMatching(/^\d{4}-.*Z$/) as string,
      missing: 'row',
      amount: { currency: 'EUR', minor: '200' },
    });
    expect(found.find(({ transferId }) => transferId === withOther)?.['kept']).toBe('compensated');
    const totals = lines.flatMap(({ total }) => (total === undefined ? [] : [total]));
    const { tenant } = portico;
    expect(totals).toHaveLength(3);
    expect(totals).toEqual(
      expect.arrayContaining([
        { tenant, outcome: 'completed', currency: 'EUR', count: 5, minor: '586' },
        { tenant, outcome: 'rejected', currency: 'EUR', count: 1, minor: '900' },
        { tenant, outcome: 'terminated', currency: 'EUR', count: 1, minor: '2000000' },
      ]),
    );

    const later = await runMissing(new Date(Date.now() + 60_000).toISOString(), settings);
    expect([later.code, later.lines]).toEqual([0, []]);
  });

  it('says by another exit code that it could not look', async () => {
    const away = { ...settings, DATABASE_URL: 'postgres://portico@127.0.0.1:1/portico' };
    const { code, lines, stderr } = await runMissing(since, away);
    expect([code, lines]).toEqual([2, []]);
    expect(stderr).toMatch(/^missing could not look, or not at everything: .*ECONNREFUSED/m);
    for (const args of [[], ['--since', 'yesterday'], ['--until', since]]) {
      expect(await runCommand('missing', args, settings)).toBe(2);
    }
  });
});
