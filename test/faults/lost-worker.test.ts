import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transferOf, waitingTransfer } from '../fixtures/transfers.ts';
import { type Caller, createDevelopmentCaller } from '../harness/caller.ts';
import { timed } from '../harness/outage-answers.ts';
import { unique } from '../harness/portico.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, type Program, startProgram } from '../servers/program.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const transfers = 20;
/**
 * Twice the default of the service, since other tests take the processors at times. Temporal keeps tasks for the killed
 * worker in proportion to it. On a slow machine more, in proportion to its pace.
 */
const usual = { deadlineMs: 6_000, paceMs: 1_500 };

describe.skipIf(postgresSkipReason() !== undefined)(
  'a worker that is killed while transfers wait in its memory',
  () => {
    let deployment: Deployment;
    let server: TestTemporalServer;
    let caller: Caller;
    let environment: Record<string, string>;
    beforeAll(async () => {
      [deployment, server] = await Promise.all([createDeployment(), startTemporalServer()]);
      caller = createDevelopmentCaller({ stateDir: deployment.keys, tenant: unique('lost-worker') });
      const slowness = Math.max(1, deployment.paceMs / usual.paceMs);
      environment = {
        ...deployment.environment,
        TEMPORAL_ADDRESS: server.address,
        PORTICO_START_DEADLINE: `${Math.round(usual.deadlineMs * slowness)}ms`,
        PORTICO_READ_DEADLINE: '10s',
      };
    });
    afterAll(async () => {
      await endPrograms();
      await Promise.all([server.stop(), deployment.close()]);
    });

    const running = (role: 'api' | 'worker'): Program => startProgram('main', { ...environment, ROLE: role });

    it('the other worker answers actions on all of them in time', async () => {
      const [api, first] = [running('api'), running('worker')];
      const { url } = await api.ready();
      await first.ready();
      const { openAccounts, post } = caller.at(url);
      await openAccounts('payer', 'payee');
      const ids = await Promise.all(Array.from({ length: transfers }, () => waitingTransfer(caller.at(url))));

      // Both take these, so that the second has compiled what it runs.
      const second = running('worker');
      await second.ready();
      const wait = { headers: { prefer: 'wait=20' } };
      await Promise.all(ids.map((id) => post('/v1/transfers', transferOf(`${id}-other`), wait)));

      first.kill('SIGKILL');
      await first.exited;
      const answers = await Promise.all(
        ids.map((id, at) =>
          timed(() => post(`/v1/transfers/${id}/${at % 2 === 0 ? 'approve' : 'cancel'}`, {}, { subject: 'bob' })),
        ),
      );
      const times = answers.map(({ tookMs }) => tookMs).sort((one, other) => one - other);
      console.info(`actions after the kill of a worker: answered after ${times[0]} to ${times.at(-1)} ms`);
      const late = answers.filter(({ status }) => status >= 300);
      expect(late.filter(({ status }) => status !== 504).map(({ status, body }) => [status, body])).toEqual([]);
      // The server may give a task to a poll of the killed process before it sees that the connection is gone.
      expect(late.length).toBeLessThanOrEqual(transfers / 4);
    });
  },
);
