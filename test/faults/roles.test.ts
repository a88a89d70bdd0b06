import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/worker/bundle.ts';
import { expectInTime, expectOutage, timed } from '../harness/outage-answers.ts';
import { eventually, type Reply, unique } from '../harness/portico.ts';
import { createChance, scaled } from '../harness/random.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { openTemporalWitness } from '../harness/temporal-operator.ts';
import { createBalancer } from '../servers/balancer.ts';
import { type Caller, createCaller, createDeployment, type Deployment, transferOf } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, type Program, startProgram } from '../servers/program.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const chance = createChance();

describe.skipIf(postgresSkipReason() !== undefined)('api and worker as processes of their own', () => {
  let deployment: Deployment;
  let server: TestTemporalServer;
  let witness: Awaited<ReturnType<typeof openTemporalWitness>>;
  let caller: Caller;
  let environment: Record<string, string>;
  beforeAll(async () => {
    [deployment, server] = await Promise.all([createDeployment(), startTemporalServer()]);
    witness = await openTemporalWitness(server.address);
    caller = createCaller({ keys: deployment.keys, tenant: unique('roles') });
    const bundle = join(deployment.folder, 'workflows.js');
    writeFileSync(bundle, await bundleWorkflows({ logger: silentLogger }));
    environment = {
      ...deployment.environment,
      TEMPORAL_ADDRESS: server.address,
      PORTICO_WORKFLOW_BUNDLE: bundle,
      PORTICO_DRAIN_DELAY: '1s',
    };
    const [api] = await Promise.all([running('api'), running('worker')]);
    await caller.openAccounts((await api.ready()).url, 'payer', 'payee');
  });
  afterAll(async () => {
    await endPrograms();
    await witness.close();
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

  const isClosed = ({ body }: Reply) => body.status === 'closed';
  const ended = async (url: string, id: string): Promise<Reply> =>
    eventually(() => caller.get(url, `/v1/transfers/${id}`), isClosed, 30_000);

  it('a transfer with an approval works', async () => {
    const { url } = await first('api').ready();
    const id = unique('approved');
    expect((await caller.post(url, '/v1/transfers', transferOf(id, '2000000'))).status).toBe(202);
    await eventually(
      () => caller.get(url, `/v1/transfers/${id}`),
      ({ body }) => body.step === 'awaiting-approval',
    );
    const options = { subject: 'bob', headers: { prefer: 'wait=20' } };
    const approved = await caller.post(url, `/v1/transfers/${id}/approve`, {}, options);
    expect(approved.status).toBe(200);
    expect(approved.body.outcome).toBe('completed');
    const payee = await caller.get(url, '/v1/accounts/payee');
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
    const lock = await lockAccount('payer');
    expect((await caller.post(url, '/v1/transfers', transferOf(id))).status).toBe(202);
    await eventually(waitingStatements, (count) => count > 0);
    const killed = first('worker');
    killed.kill('SIGKILL');
    expect(await killed.exited).toEqual({ code: null, signal: 'SIGKILL' });
    await lock.release();

    // Without any worker starts and reads work, and an action is left open.
    const next = unique('next');
    expect((await caller.post(url, '/v1/transfers', transferOf(next))).status).toBe(202);
    expect((await caller.get(url, `/v1/transfers/${id}`)).body.status).toBe('running');
    const cancel = () =>
      timed(() => caller.post(url, `/v1/transfers/${next}/cancel`, {}, { headers: { 'idempotency-key': 'only' } }));
    const unanswered = await cancel();
    expectOutage('an action', unanswered, { changes: true });
    expectInTime('an action', unanswered, 3_000);

    await running('worker');
    expect((await cancel()).status).toBeLessThan(300);
    expect((await ended(url, next)).body.outcome).toBe('cancelled');
    expect((await ended(url, id)).body.outcome).toBe('completed');
    expect(await witness.attemptsOf(`${caller.tenant}/transfers/${id}`, 'withdraw')).toBeGreaterThanOrEqual(2);
    const report = await deployment.report(caller.tenant);
    expect(report.findings).toEqual([]);
    expect(report.balances.get('payee')).toBe(before + 100n);
  }, 60_000);

  it(
    'no request fails while each process in turn is told to stop and replaced',
    async () => {
      await Promise.all([running('api'), running('worker')]);
      const apis = processes.api.filter((each) => !each.isOver());
      const balancer = createBalancer(await Promise.all(apis.map((each) => each.ready())));
      const started: string[] = [];
      const failed: string[] = [];
      let isOver = false;
      const call = async (what: string, ask: (url: string) => Promise<Reply>) => {
        const url = balancer.pick(chance);
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
          await call('a start', (url) => caller.post(url, '/v1/transfers', transferOf(id), { headers }));
          await call('a result', (url) => caller.get(url, `/v1/transfers/${id}/result`, { headers }));
          await sleep(chance.between(0, 40));
        }
      });

      let restarts = 0;
      for (let round = 0; round < scaled(1); round += 1) {
        for (const role of ['api', 'worker'] as const) {
          for (const each of processes[role].filter((program) => !program.isOver())) {
            const exit = await each.stop(30_000);
            expect(exit, each.log()).toMatchObject({ code: 0, signal: null });
            restarts += 1;
            const replacement = await running(role);
            if (role === 'api') balancer.add(await replacement.ready());
          }
        }
      }
      isOver = true;
      await Promise.all(callers);
      balancer.stop();
      expect(failed).toEqual([]);
      console.info(`${restarts} processes replaced under ${started.length} transfers`);
      expect(started.length).toBeGreaterThan(20);

      const { url } = await first('api').ready();
      let repeated = 0;
      for (const id of started) {
        expect((await ended(url, id)).body.outcome, id).toBe('completed');
        const attempts = await witness.attemptsOf(`${caller.tenant}/transfers/${id}`, 'withdraw');
        repeated += (attempts ?? 1) - 1;
      }
      expect(repeated, 'attempts that a stop has cost').toBeLessThanOrEqual(restarts);
      expect((await deployment.report(caller.tenant)).findings).toEqual([]);
    },
    scaled(180_000),
  );

  /** How many statements of Portico wait for a lock. */
  const waitingStatements = (): Promise<number> =>
    deployment.asAuditor(async (client) => {
      const { rows } = await client.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity
         where application_name = 'portico' and wait_event_type = 'Lock'`,
      );
      return rows[0]?.count ?? 0;
    });

  /** Holds an account, so that no payment from or to it can go on. */
  async function lockAccount(id: string) {
    const client = new pg.Client({ connectionString: deployment.cluster.urlOf('portico') });
    await client.connect();
    await client.query('begin');
    await client.query('select from accounts where tenant = $1 and account_id = $2 for update', [caller.tenant, id]);
    return { release: () => client.end() };
  }
});
