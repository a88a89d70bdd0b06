import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { letPaymentsFreeze } from '../fixtures/stuck-transfers.ts';
import { closed, transferOf } from '../fixtures/transfers.ts';
import { expectEnough } from '../harness/fault-counts.ts';
import { inParallel } from '../harness/in-parallel.ts';
import { createMix, mixedEnvironment } from '../harness/mixed-transfers.ts';
import { auditRepeatedly, type MoneyReport } from '../harness/money-report.ts';
import { expectInTime, timed } from '../harness/outage-answers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { temporalAddress } from '../servers/temporal.ts';

const random = createRandom();

describe.skipIf(postgresSkipReason() !== undefined)('while PostgreSQL', () => {
  let deployment: Deployment;
  let proxy: TcpProxy;
  let portico: Portico;
  let operator: TemporalOperator;
  let mix: ReturnType<typeof createMix>;
  beforeAll(async () => {
    deployment = await createDeployment();
    proxy = await startTcpProxy(deployment.cluster.port);
    const through = (url: string) => url.replace(`:${deployment.cluster.port}/`, `:${proxy.port}/`);
    const { DATABASE_URL } = deployment.environment;
    portico = await startPortico({
      stateDir: deployment.keys,
      environment: {
        ...deployment.environment,
        ...mixedEnvironment,
        DATABASE_URL: through(DATABASE_URL),
        PORTICO_DRAIN_DELAY: '0s',
      },
    });
    await portico.untilReady();
    await letPaymentsFreeze(deployment.auditorUrl);
    await portico.openAccounts('payer', 'payee');
    operator = await connectOperator(temporalAddress());
    mix = createMix({
      random,
      send: () => portico,
      forget: (id) => operator.forget(`${portico.tenant}/transfers/${id}`),
    });
    await mix.open();
  });
  afterAll(async () => {
    await portico.stop();
    await operator.close();
    await proxy.close();
    await deployment.close();
  });

  const start = (id: string, headers = {}) => timed(() => portico.post('/v1/transfers', transferOf(id), { headers }));

  /** Fails unless what needs the database says that it is away, in time, and what does not goes on. */
  async function expectOutage(limitMs: number): Promise<void> {
    const id = `away-${random.seed}-${random.between(0, 1e9)}`;
    const [account, inbox, put, started, alive] = await Promise.all([
      timed(() => portico.get('/v1/accounts/payer')),
      timed(() => portico.get('/v1/users/nobody/inbox')),
      timed(() => portico.put(`/v1/accounts/${id}`, { currency: 'EUR', openingBalance: { minor: '1' } })),
      start(id),
      portico.admin('/livez'),
    ]);
    for (const reply of [account, inbox, put]) {
      expect(reply.status).toBe(503);
      expect(reply.body).toMatchObject({ code: 'database-unavailable', retryable: true });
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expectInTime('a request that needs the database', reply, limitMs);
    }
    expect(account.body.effect).toBe('none');
    // A transfer is accepted: it waits for the database, not its caller.
    expect(started.status).toBe(202);
    expect((await portico.get(`/v1/transfers/${id}`)).body).toMatchObject({ status: 'running', step: 'opening' });
    expect(alive.status).toBe(200);
    await until(
      () => portico.admin('/healthz'),
      ({ text }) => text.includes('"name":"database","status":"failed"'),
    );
    expect((await portico.admin('/readyz')).status).toBe(200);
  }

  /** Fails unless the database can be used again soon: five seconds are promised, and a slow machine may take six times that. */
  async function expectBack(): Promise<void> {
    const backAt = performance.now();
    await until(
      () => portico.get('/v1/accounts/payer'),
      ({ status }) => status === 200,
      { withinMs: 30_000 },
    );
    console.info(`the database was used again after ${Math.round(performance.now() - backAt)} ms`);
  }

  async function expectExactMoney(ids: readonly string[]): Promise<void> {
    for (const id of ids) expect((await closed(portico, `/v1/transfers/${id}`)).body.outcome, id).toBe('completed');
    const mixed = mix.ids();
    const completedIn = ({ outcomes }: MoneyReport) =>
      BigInt([...outcomes].filter(([id, outcome]) => !mixed.has(id) && outcome === 'completed').length);
    const isSettled = (seen: MoneyReport) =>
      seen.balances.get('payee') === 100_000_000n + 100n * completedIn(seen) &&
      seen.balances.get('payer') === 100_000_000n - 100n * completedIn(seen);
    // One of the outage may be between its postings, or between the last and its end.
    const report = await until(() => deployment.report(portico.tenant), isSettled);
    expect(report.findings).toEqual([]);
    expect(ids.filter((id) => report.outcomes.get(id) !== 'completed')).toEqual([]);
    mix.expectMoney(report);
  }

  it(
    'is killed again and again under transfers, none is lost or made twice, and nobody has to restart',
    async () => {
      const ids = Array.from({ length: scaled(120) }, () => unique('killed'));
      const auditing = auditRepeatedly(deployment.auditorUrl);
      const met = { kills: 0, interrupted: 0 };
      /** While a withdrawal waits for a lock, which is certainly inside an activity. */
      const killInside = async (): Promise<void> => {
        const lock = await deployment.lockAccount({ tenant: portico.tenant, accountId: 'payer' });
        const id = unique('inside');
        ids.push(id);
        expect((await start(id)).status).toBe(202);
        await until(deployment.waitingStatements, (count) => count > 0);
        met.interrupted += 1;
        await deployment.cluster.kill();
        await lock.release();
      };
      const killing = (async () => {
        while (met.kills < scaled(6)) {
          await sleep(random.between(300, 1_200));
          await (met.kills % 2 === 0 ? killInside() : deployment.cluster.kill());
          met.kills += 1;
          await sleep(random.between(0, 500));
          await deployment.cluster.restart();
        }
      })();
      await Promise.all([
        killing,
        mix.run({ atLeast: scaled(32), isOver: () => met.kills === scaled(6) }),
        inParallel(6, ids, async (id) => {
          // Temporal takes the start, whatever becomes of the database.
          expect((await start(id, random.between(0, 1) === 0 ? { prefer: 'wait=1' } : {})).status).toBeLessThan(300);
          await sleep(random.between(0, 150));
        }),
      ]);
      await expectBack();
      const outcomes = await mix.outcomes();
      await expectExactMoney(ids);
      // However slowly it audits: some of it has to happen.
      await until(
        () => auditing.seen.audits,
        (count) => count > 10,
      );
      const seen = await auditing.stop();
      expect(seen.findings).toEqual([]);
      expectEnough('kills of PostgreSQL', { ...met, audits: seen.audits, ...outcomes, ...mix.seen });
    },
    scaled(1_800_000),
  );

  it('is down, requests that need it are refused at once and transfers wait for it', async () => {
    const waiting = unique('down');
    await deployment.cluster.kill();
    expect((await start(waiting)).status).toBe(202);
    await expectOutage(1_000);
    await deployment.cluster.restart();
    await expectBack();
    await expectExactMoney([waiting]);
  });

  it('swallows everything, requests that need it are refused in time and transfers wait for it', async () => {
    const waiting = unique('swallowed');
    // So that there are connections to be swallowed.
    await Promise.all(Array.from({ length: 8 }, () => portico.get('/v1/accounts/payer')));
    await proxy.inject('black-hole');
    expect((await start(waiting)).status).toBe(202);
    // A statement may take five seconds, and a connection two.
    await expectOutage(5_000 + 2_000);
    proxy.cut();
    await proxy.heal();
    await expectBack();
    await expectExactMoney([waiting]);
  });
});
