import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closed, transferOf } from '../fixtures/transfers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason, withClient } from '../servers/postgres.ts';
import { temporalAddress } from '../servers/temporal.ts';

interface Report {
  readonly checks: readonly { name: string; status: string; reason?: string; remedy?: string }[];
}

/** Long enough for a worker that polls to have taken the first step, and failed it. */
const lookMs = 3_000;

describe.skipIf(postgresSkipReason() !== undefined)('a Portico with the role of the program alone', () => {
  let deployment: Deployment;
  let portico: Portico;
  const logLines: string[] = [];
  beforeAll(async () => {
    deployment = await createDeployment({ isMigrated: false });
    const { environment, keys: stateDir } = deployment;
    portico = await startPortico({
      stateDir,
      logLines,
      environment: {
        ...environment,
        TEMPORAL_ADDRESS: temporalAddress(),
        PORTICO_DRAIN_DELAY: '0s',
        PORTICO_TRANSFERS_RECONCILE_INTERVAL: '1s',
      },
    });
  });
  afterAll(async () => {
    await portico.stop();
    await deployment.close();
  });

  const failed = async () => {
    const { checks } = JSON.parse((await portico.admin('/healthz')).text) as Report;
    return checks.filter(({ status }) => status === 'failed');
  };
  const asOwner = (sql: string) => withClient(deployment.ownerUrl, (client) => client.query(sql));
  const waitsOf = async (state: string): Promise<number> => {
    const { text } = await portico.admin('/metrics');
    return Number(
      new RegExp(`^portico_database_schema_waits_total\\{state="${state}"\\} (\\S+)$`, 'm').exec(text)?.[1],
    );
  };
  const read = (id: string) => portico.get(`/v1/transfers/${id}`);

  it('serves before the schema is there, lets no worker poll, says what is missing, and works once it is migrated', async () => {
    const account = await portico.get('/v1/accounts/payer');
    expect([account.status, account.body.code, account.body.effect]).toEqual([503, 'database-unavailable', 'none']);
    // A slow machine may not have let the first question in.
    const missing = await until(
      failed,
      (checks) => checks.filter(({ reason }) => /was not migrated/.test(reason ?? '')).length === 2,
    );
    expect(missing.map(({ name }) => name)).toEqual(['schema', 'workers']);
    expect((await portico.admin('/readyz')).status).toBe(200);
    expect(missing[0]?.remedy).toMatch(/run the migrate command/);

    const id = unique('early');
    expect((await portico.post('/v1/transfers', transferOf(id))).status).toBe(202);
    await sleep(lookMs);
    const { text } = await portico.admin('/metrics');
    expect(text).not.toMatch(/^temporal_num_pollers\{/m);
    expect(text).not.toMatch(/^temporal_activity_execution_failed/m);
    expect(logLines.filter((line) => line.includes('unresolved instances could not be looked at'))).toEqual([]);

    await deployment.migrate();
    await portico.untilReady();
    expect((await closed(portico, `/v1/transfers/${id}`)).body.outcome).toBe('rejected');
    await portico.openAccounts('payer', 'payee');
  });

  it.each([
    [
      'missing-column',
      'alter table accounts rename column frozen to later',
      'alter table accounts rename column later to frozen',
    ],
    ['missing-table', 'alter table entries rename to later', 'alter table later rename to entries'],
    ['missing-right', 'revoke insert on entries from portico_program', 'grant insert on entries to portico_program'],
  ])('waits for a %s instead of giving the money back', async (state, lose, bring) => {
    const before = await waitsOf(state);
    await asOwner(lose);
    const id = unique(state);
    expect((await portico.post('/v1/transfers', transferOf(id))).status).toBe(202);
    await until(
      () => waitsOf(state),
      (count) => count >= before + 2,
    );
    expect((await read(id)).body).toMatchObject({ status: 'running', step: 'withdrawing' });
    await asOwner(bring);
    expect((await closed(portico, `/v1/transfers/${id}`)).body.outcome).toBe('completed');
  });
});
