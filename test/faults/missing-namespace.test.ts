import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { msToTs } from '@temporalio/common/lib/time.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closed, transferOf } from '../fixtures/transfers.ts';
import { expectOutage, timed } from '../harness/outage-answers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { createSecrets } from '../servers/deployment.ts';
import { temporalAddress } from '../servers/temporal.ts';

describe('a Portico whose namespace does not exist', () => {
  const namespace = unique('namespace');
  let portico: Portico;
  let operator: TemporalOperator;
  const folder = mkdtempSync(join(tmpdir(), 'portico-namespace-'));
  beforeAll(async () => {
    operator = await connectOperator(temporalAddress());
    const { keys, environment } = createSecrets(folder);
    portico = await startPortico({
      stateDir: keys,
      environment: {
        ...environment,
        TEMPORAL_ADDRESS: temporalAddress(),
        TEMPORAL_NAMESPACE: namespace,
        PORTICO_DRAIN_DELAY: '0s',
      },
    });
  });
  afterAll(async () => {
    await portico.stop();
    await operator.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('serves, says that it is not ready, and works half a minute after somebody made the namespace', async () => {
    await portico.openAccounts('payer', 'payee');
    const id = unique('early');
    const start = () => timed(() => portico.post('/v1/transfers', transferOf(id)));
    // Our own mistake, and none of the caller's: never a 404.
    expectOutage('a start', await start(), { changes: true });
    expectOutage('a read', await portico.get(`/v1/transfers/${id}`), { changes: false });
    expectOutage('a list', await portico.get('/v1/transfers'), { changes: false });
    expect((await portico.admin('/livez')).status).toBe(200);
    expect((await portico.admin('/readyz')).status).toBe(200);
    const { text } = await portico.admin('/healthz');
    expect(text).toMatch(/"name":"workers","status":"failed"/);

    await operator.connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
    await until(start, (reply) => reply.status === 202 || reply.status === 200);
    const done = await closed(portico, `/v1/transfers/${id}`);
    expect(done.body.outcome).toBe('completed');
    await portico.untilReady();
  });
});
