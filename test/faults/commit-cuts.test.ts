import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCommitCutter } from '../database/commit-cutter.ts';
import { letPaymentsFreeze } from '../fixtures/stuck-transfers.ts';
import { expectEnough } from '../harness/fault-counts.ts';
import { createMix, mixedEnvironment } from '../harness/mixed-transfers.ts';
import { auditRepeatedly } from '../harness/money-report.ts';
import { type Portico, startPortico } from '../harness/portico.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';

const random = createRandom();

describe.skipIf(postgresSkipReason() !== undefined)('while answers to COMMIT are lost', () => {
  let deployment: Deployment;
  let cutter: Awaited<ReturnType<typeof startCommitCutter>>;
  let portico: Portico;
  beforeAll(async () => {
    deployment = await createDeployment();
    cutter = await startCommitCutter(deployment.cluster.port);
    const { DATABASE_URL } = deployment.environment;
    portico = await startPortico({
      stateDir: deployment.keys,
      environment: {
        ...deployment.environment,
        ...mixedEnvironment,
        DATABASE_URL: DATABASE_URL.replace(`:${deployment.cluster.port}/`, `:${cutter.port}/`),
      },
    });
    await portico.untilReady();
    await letPaymentsFreeze(deployment.auditorUrl);
  });
  afterAll(async () => {
    await portico.stop();
    cutter.close();
    await deployment.close();
  });

  it(
    'transfers of every kind end as their callers were told, and no money moves twice',
    async () => {
      const mix = createMix({ random, send: () => portico });
      await mix.open();
      const auditing = auditRepeatedly(deployment.auditorUrl);
      const cutting = new AbortController();
      // A step that fails again and again is tried again after half a minute only, so there is an end to the cuts.
      const cuts = (async () => {
        while (!cutting.signal.aborted && cutter.cuts < scaled(20)) {
          cutter.cutNextCommit(
            random.between(0, 1) === 0 ? 'before the server has it' : 'after the server has done it',
          );
          await sleep(random.between(100, 400));
        }
      })();
      await mix.run({ atLeast: scaled(42), isOver: () => true });
      const outcomes = await mix.outcomes();
      cutting.abort();
      await cuts;
      mix.expectMoney(await deployment.report(portico.tenant));
      expect((await auditing.stop()).findings).toEqual([]);
      expectEnough('commit cuts', { cuts: cutter.cuts, ...outcomes, ...mix.seen });
    },
    scaled(1_800_000),
  );
});
