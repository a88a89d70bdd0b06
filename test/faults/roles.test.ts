import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { letPaymentsFreeze } from '../fixtures/stuck-transfers.ts';
import { closed, transferOf, waitingTransfer } from '../fixtures/transfers.ts';
import type { Reply } from '../harness/caller.ts';
import { type Caller, createDevelopmentCaller } from '../harness/caller.ts';
import { expectEnough } from '../harness/fault-counts.ts';
import { createMix, mixedEnvironment } from '../harness/mixed-transfers.ts';
import { expectInTime, expectOutage, timed } from '../harness/outage-answers.ts';
import { unique } from '../harness/portico.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { createBalancer } from '../servers/balancer.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, type Program, startProgram } from '../servers/program.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const random = createRandom();

/** No request may fail for a slow machine; an action without a worker takes as long. */
const startMs = 8_000;

/** Temporal hands tasks to polls. One that a stopping worker has just given up loses its task, which is repeated later. */
const pollsOfWorker = 10;

/** What the making of the workflow bundle takes on two cores. */
const usualPaceMs = 1_500;

describe.skipIf(postgresSkipReason() !== undefined)('api and worker as processes of their own', () => {
  let deployment: Deployment;
  let server: TestTemporalServer;
  let operator: TemporalOperator;
  let caller: Caller;
  let environment: Record<string, string>;
  beforeAll(async () => {
    [deployment, server] = await Promise.all([createDeployment(), startTemporalServer()]);
    operator = await connectOperator(server.address);
    caller = createDevelopmentCaller({ stateDir: deployment.keys, tenant: unique('roles') });
    environment = {
      ...deployment.environment,
      ...mixedEnvironment,
      TEMPORAL_ADDRESS: server.address,
      // Until the balancer has heard of it, also on a slow machine.
      PORTICO_DRAIN_DELAY: `${Math.max(1_000, deployment.paceMs)}ms`,
      PORTICO_START_DEADLINE: `${startMs}ms`,
      PORTICO_READ_DEADLINE: '10s',
    };
    const [api] = await Promise.all([running('api'), running('worker')]);
    await letPaymentsFreeze(deployment.auditorUrl);
    await caller.at((await api.ready()).url).openAccounts('payer', 'payee');
  });
  afterAll(async () => {
    await endPrograms();
    await operator.close();
    await Promise.all([server.stop(), deployment.close()]);
  });

  const processes: Record<'api' | 'worker', Program[]> = { api: [], worker: [] };

  /** One more process of the role, ready for work. */
  async function running(role: 'api' | 'worker'): Promise<Program> {
    const program = startProgram('main', { ...environment, ROLE: role });
    await program.ready();
    processes[role].push(program);
    return program;
  }

  /** The one that was started first among those that still run. */
  function first(role: 'api' | 'worker'): Program {
    const program = processes[role].find((each) => !each.isOver());
    if (program === undefined) throw new Error(`no ${role} runs`);
    return program;
  }

  const ended = (url: string, id: string): Promise<Reply> => closed(caller.at(url), `/v1/transfers/${id}`);

  /** Of the activity that took the payer's money, by either implementation. */
  async function attemptsOfPayment(transferId: string) {
    const id = `${caller.tenant}/transfers/${transferId}`;
    return (await operator.attemptsOf(id, 'withdraw')) ?? operator.attemptsOf(id, 'transferAtOnce');
  }

  it('a transfer with an approval works', async () => {
    const { url } = await first('api').ready();
    const id = await waitingTransfer(caller.at(url));
    const options = { subject: 'bob', headers: { prefer: 'wait=20' } };
    const approved = await caller.at(url).post(`/v1/transfers/${id}/approve`, {}, options);
    expect(approved.status).toBe(200);
    expect(approved.body.outcome).toBe('completed');
    const payee = await caller.at(url).get('/v1/accounts/payee');
    expect(payee.body.balance.minor).toBe('102000000');
  });

  it.skipIf(process.platform !== 'linux')('an api loads no native addon', () => {
    const mapped = ({ pid }: Program) => readFileSync(`/proc/${pid}/maps`, 'utf8');
    const addon = /core-bridge.*\.node$/m;
    expect(mapped(first('worker'))).toMatch(addon);
    expect(mapped(first('api'))).not.toMatch(addon);
  });

  it('a payment whose worker is killed is finished by another, once', async () => {
    const { url } = await first('api').ready();
    const id = unique('orphan');
    const before = (await deployment.report(caller.tenant)).balances.get('payee') ?? 0n;
    const lock = await deployment.lockAccount({ tenant: caller.tenant, accountId: 'payer' });
    expect((await caller.at(url).post('/v1/transfers', transferOf(id))).status).toBe(202);
    await until(deployment.waitingStatements, (count) => count > 0);
    const killed = first('worker');
    killed.kill('SIGKILL');
    expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await lock.release();

    // Without any worker starts and reads work, and an action is left open.
    const next = unique('next');
    expect((await caller.at(url).post('/v1/transfers', transferOf(next))).status).toBe(202);
    expect((await caller.at(url).get(`/v1/transfers/${id}`)).body.status).toBe('running');
    const cancel = () =>
      timed(() => caller.at(url).post(`/v1/transfers/${next}/cancel`, {}, { headers: { 'idempotency-key': 'only' } }));
    const unanswered = await cancel();
    expectOutage('an action', unanswered, { changes: true });
    expectInTime('an action', unanswered, startMs);

    await running('worker');
    await until(cancel, ({ status }) => status < 300);
    expect((await ended(url, next)).body.outcome).toBe('cancelled');
    expect((await ended(url, id)).body.outcome).toBe('completed');
    const attempts = await attemptsOfPayment(id);
    expect(attempts?.count).toBeGreaterThanOrEqual(2);
    const report = await deployment.report(caller.tenant);
    expect(report.findings).toEqual([]);
    expect(report.balances.get('payee')).toBe(before + 100n);
  });

  it(
    'no request fails while each process in turn is told to stop and replaced',
    async () => {
      await Promise.all([running('api'), running('worker')]);
      const targetOf = async (each: Program) => ({ ...(await each.ready()), isOver: each.isOver });
      const apis = processes.api.filter((each) => !each.isOver());
      const balancer = createBalancer(await Promise.all(apis.map(targetOf)));
      const started: string[] = [];
      const failed: string[] = [];
      let isOver = false;
      const call = async (what: string, ask: (url: string) => Promise<Reply>) => {
        const url = await balancer.pick(random);
        try {
          const { status, body } = await ask(url);
          if (status >= 300) failed.push(`${what} at ${url}: ${status} ${JSON.stringify(body)}`);
        } catch (error) {
          failed.push(`${what} at ${url}: ${String(error)} ${String(error instanceof Error ? error.cause : '')}`);
        }
      };
      const callers = Array.from({ length: 4 }, async (_, index) => {
        while (!isOver) {
          const id = unique('rolling');
          started.push(id);
          const headers: Record<string, string> = index % 2 === 0 ? { prefer: 'wait=2' } : {};
          await call('a start', (url) => caller.at(url).post('/v1/transfers', transferOf(id), { headers }));
          await call('a result', (url) => caller.at(url).get(`/v1/transfers/${id}/result`, { headers }));
          await sleep(random.between(0, 200));
        }
      });

      const mix = createMix({
        random,
        send: async () => caller.at(await balancer.pick(random)),
        forget: (id) => operator.forget(`${caller.tenant}/transfers/${id}`),
      });
      await mix.open();
      const mixing = mix.run({ atLeast: scaled(24), isOver: () => isOver });
      // Told where it is awaited.
      mixing.catch(() => undefined);

      const stops = { api: 0, worker: 0 };
      for (let round = 0; round < scaled(1); round += 1) {
        for (const role of ['api', 'worker'] as const) {
          for (const each of processes[role].filter((program) => !program.isOver())) {
            const exit = await each.stop();
            expect(exit, each.log()).toMatchObject({ code: 0, signal: null });
            stops[role] += 1;
            const replacement = await running(role);
            if (role === 'api') balancer.add(await targetOf(replacement));
          }
        }
      }
      await until(
        () => started.length,
        (count) => count > 20,
      );
      isOver = true;
      await Promise.all([mixing, ...callers]);
      const outcomes = await mix.outcomes();
      balancer.stop();
      expect(failed).toEqual([]);
      // A task that a stopping worker has taken is repeated after ten seconds, and an action is told before: it is in doubt.
      // On a machine that takes seconds to make the bundle, the steps of many take as long without any stop.
      const doubts = mix.retried.filter((why) => why === '504 outcome-unknown').length;
      const slowness = Math.max(1, deployment.paceMs / usualPaceMs);
      expect(doubts).toBeLessThanOrEqual(pollsOfWorker * stops.worker * slowness);
      expect(mix.retried.length - doubts, mix.retried.join()).toBe(0);

      const { url } = await first('api').ready();
      const repeated: string[] = [];
      for (const id of started) {
        expect((await ended(url, id)).body.outcome, id).toBe('completed');
        const attempts = await attemptsOfPayment(id);
        for (let each = 1; each < (attempts?.count ?? 1); each += 1) repeated.push(attempts?.why ?? 'unknown');
      }
      console.info(`attempts repeated, by the reason of the last: ${repeated.join() || 'none'}`);
      // On a slow machine some find no connection to the database in time; that is no cost of a stop.
      const costOfStops = repeated.filter((why) => why !== 'unavailable');
      expect(costOfStops.length, costOfStops.join()).toBeLessThanOrEqual(pollsOfWorker * stops.worker * slowness);
      const report = await deployment.report(caller.tenant);
      expect(report.findings).toEqual([]);
      mix.expectMoney(report);
      const met = { stops: stops.api + stops.worker, plain: started.length, doubts, ...outcomes, ...mix.seen };
      expectEnough('replaced processes', met);
    },
    scaled(1_800_000),
  );
});
