import { writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows } from '../../src/worker/bundle.ts';
import { timed } from '../harness/outage-answers.ts';
import { eventually, type Reply, unique } from '../harness/portico.ts';
import { createChance, scaled } from '../harness/random.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { openTemporalWitness } from '../harness/temporal-operator.ts';
import { type Caller, createCaller, createDeployment, type Deployment, transferOf } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, type Program, readiness, startProgram } from '../servers/program.ts';
import { type Fault, startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const chance = createChance();

describe.skipIf(postgresSkipReason() !== undefined)('SIGTERM', () => {
  let deployment: Deployment;
  let server: TestTemporalServer;
  let toTemporal: TcpProxy;
  let toDatabase: TcpProxy;
  let witness: Awaited<ReturnType<typeof openTemporalWitness>>;
  let caller: Caller;
  let environment: Record<string, string>;
  beforeAll(async () => {
    [deployment, server] = await Promise.all([createDeployment(), startTemporalServer()]);
    [toTemporal, toDatabase] = await Promise.all([startTcpProxy(server.port), startTcpProxy(deployment.cluster.port)]);
    witness = await openTemporalWitness(server.address);
    caller = createCaller({ keys: deployment.keys, tenant: unique('shutdown') });
    const bundle = join(deployment.folder, 'workflows.js');
    writeFileSync(bundle, await bundleWorkflows({ logger: silentLogger }));
    const through = (url: string) => url.replace(`:${deployment.cluster.port}/`, `:${toDatabase.port}/`);
    environment = {
      ...deployment.environment,
      DATABASE_URL: through(deployment.environment.DATABASE_URL),
      DATABASE_OWNER_URL: through(deployment.environment.DATABASE_OWNER_URL),
      TEMPORAL_ADDRESS: toTemporal.address,
      PORTICO_WORKFLOW_BUNDLE: bundle,
      PORTICO_DRAIN_DELAY: `${drainMs}ms`,
      PORTICO_HTTP_CLOSE_TIMEOUT: `${httpCloseMs}ms`,
      PORTICO_WORKER_GRACE: '5s',
      PORTICO_WORKER_FORCE: `${workerForceMs}ms`,
    };
  });
  afterEach(() => Promise.all([toTemporal.heal(), toDatabase.heal()]));
  afterAll(async () => {
    await endPrograms();
    await Promise.all([witness.close(), toTemporal.close(), toDatabase.close()]);
    await Promise.all([server.stop(), deployment.close()]);
  });

  const drainMs = 1_200;
  const httpCloseMs = 5_000;
  const workerForceMs = 7_000;

  let last: Program | undefined;

  /** The process that a test before has left running, or a new one. */
  async function running(): Promise<{ program: Program; url: string; adminUrl: string }> {
    const program = last === undefined || last.isOver() ? startProgram('main', environment) : last;
    last = program;
    const found = await program.ready();
    await caller.openAccounts(found.url, 'payer', 'payee');
    return { program, ...found };
  }

  async function waitingTransfer(url: string): Promise<string> {
    const id = unique('waiting');
    await caller.post(url, '/v1/transfers', transferOf(id, '2000000'));
    await eventually(
      () => caller.get(url, `/v1/transfers/${id}`),
      ({ body }) => body.step === 'awaiting-approval',
    );
    return id;
  }

  it('cuts nothing: who waits is answered, and what runs is finished once', async () => {
    const { program, url, adminUrl } = await running();
    const [waiting, cancelled] = [await waitingTransfer(url), await waitingTransfer(url)];
    const keptAlive = new Agent({ keepAlive: true });
    expect(await connectionOf(url, keptAlive)).toBe('keep-alive');

    // A payment that another holds up, an action that waits for it, and callers who wait for results.
    const held = unique('held');
    const lock = await lockAccount('payer');
    const preferWait = { headers: { prefer: 'wait=20' } };
    const waits = [
      timed(() => caller.get(url, `/v1/transfers/${waiting}/result`, preferWait)),
      timed(() => caller.post(url, '/v1/transfers', transferOf(held), preferWait)),
    ];
    await eventually(waitingStatements, (count) => count > 0);
    const acting = timed(() => caller.post(url, `/v1/transfers/${held}/cancel`, {}));
    await sleep(100);
    program.kill('SIGTERM');
    const toldAt = performance.now();

    // First of all nobody is sent here any more, while who comes is still served, on connections that end.
    const readyz = await eventually(
      () => readiness(adminUrl),
      ({ status }) => status === 503,
      1_000,
    );
    expect(readyz.text).toContain('"status":"draining"');
    expect(await connectionOf(url, keptAlive)).toBe('close');
    const late = await caller.post(url, `/v1/transfers/${cancelled}/cancel`, {}, preferWait);
    expect([late.status, late.body.outcome]).toEqual([200, 'cancelled']);
    program.kill('SIGTERM');
    program.kill('SIGINT');
    expect(performance.now() - toldAt, 'all that happened while it drained').toBeLessThan(drainMs);
    const heldMs = await lock.releaseAfter(500);

    const answers = await Promise.all([...waits, acting]);
    const exit = await program.exited;
    const exitedAfterMs = performance.now() - toldAt;
    expect(exit, program.log()).toEqual({ code: 0, signal: null });
    expect(answers.map(({ status }) => status).slice(0, 1)).toEqual([202]);
    for (const answer of answers) expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    for (const answer of answers) expect(answer.tookMs).toBeLessThan(10_000);
    expect(exitedAfterMs).toBeLessThan(drainMs + httpCloseMs + workerForceMs);
    keptAlive.destroy();

    await expectOneAttempt(held, heldMs);
    const next = await running();
    const outcome = async (id: string) => (await ended(next.url, id)).body.outcome as string;
    // The payment was under way: its cancel either returned the money or came too late.
    expect(['cancelled', 'completed']).toContain(await outcome(held));
    expect((await caller.post(next.url, `/v1/transfers/${waiting}/reject`, {}, { subject: 'bob' })).status).toBe(202);
    expect(await outcome(waiting)).toBe('rejected');
    expect((await deployment.report(caller.tenant)).findings).toEqual([]);
  }, 90_000);

  it('ends a process with an activity that takes longer than its drain, after the activity', async () => {
    const { program, url } = await running();
    const held = unique('long');
    const lock = await lockAccount('payer');
    expect((await caller.post(url, '/v1/transfers', transferOf(held))).status).toBe(202);
    await eventually(waitingStatements, (count) => count > 0);
    program.kill('SIGTERM');
    // Longer than it takes to drain.
    const heldMs = await lock.releaseAfter(drainMs + 100);
    const releasedAt = performance.now();
    expect(await program.exited, program.log()).toEqual({ code: 0, signal: null });
    expect(performance.now() - releasedAt).toBeLessThan(workerForceMs);
    await expectOneAttempt(held, heldMs);
    const next = await running();
    expect((await ended(next.url, held)).body.outcome).toBe('completed');
    expect((await deployment.report(caller.tenant)).findings).toEqual([]);
  }, 90_000);

  const faults: Record<string, () => { proxy: TcpProxy; fault: Fault }> = {
    'Temporal refuses connections': () => ({ proxy: toTemporal, fault: 'refuse' }),
    'Temporal is silent': () => ({ proxy: toTemporal, fault: 'black-hole' }),
    'the database refuses connections': () => ({ proxy: toDatabase, fault: 'refuse' }),
    'the database is silent': () => ({ proxy: toDatabase, fault: 'black-hole' }),
  };

  it.each(Object.entries(faults))(
    'ends the process in time although %s, and who waits is answered',
    async (_, faultOf) => {
      const { program, url } = await running();
      const waiting = await waitingTransfer(url);
      const waits = timed(() => caller.get(url, `/v1/transfers/${waiting}/result`, { headers: { prefer: 'wait=20' } }));
      await sleep(200);
      const { proxy, fault } = faultOf();
      await proxy.inject(fault);
      const reading = [timed(() => caller.get(url, '/v1/accounts/payer')), timed(() => start(url))];
      const startedAt = performance.now();
      const exit = await program.stop();
      expect(exit, program.log()).toMatchObject({ code: 0, signal: null });
      expect(exit.tookMs).toBeLessThan(drainMs + httpCloseMs + workerForceMs);
      console.info(`ended after ${Math.round(performance.now() - startedAt)} ms`);
      const [waited, ...answers] = await Promise.all([waits, ...reading]);
      expect(waited.status).toBe(202);
      for (const { status } of answers) expect([200, 202, 503, 504]).toContain(status);
    },
    60_000,
  );

  it('ends a process that has reached neither Temporal nor its database', async () => {
    await Promise.all([toTemporal.inject('refuse'), toDatabase.inject('black-hole')]);
    const program = startProgram('main', environment);
    const { adminUrl } = await program.addresses();
    expect((await readiness(adminUrl)).status).toBe(503);
    const exit = await program.stop();
    expect(exit, program.log()).toMatchObject({ code: 0, signal: null });
    expect(exit.tookMs).toBeLessThan(drainMs + httpCloseMs + workerForceMs);
  }, 60_000);

  it(
    'ends a process that is about to start',
    async () => {
      for (let round = 0; round < scaled(3); round += 1) {
        const program = startProgram('main', environment);
        const afterMs = chance.between(0, 2_500);
        await sleep(afterMs);
        const exit = await program.stop();
        // Before it could ask for signals it ends by them.
        expect([0, null], `after ${afterMs} ms:\n${program.log()}`).toContain(exit.code);
        expect([null, 'SIGTERM']).toContain(exit.signal);
        expect(exit.tookMs).toBeLessThan(10_000);
      }
    },
    scaled(60_000),
  );

  const start = (url: string) => caller.post(url, '/v1/transfers', transferOf(unique('late')));
  const isClosed = ({ body }: Reply) => body.status === 'closed';
  const ended = (url: string, id: string) => eventually(() => caller.get(url, `/v1/transfers/${id}`), isClosed, 30_000);

  /** What an answer says about the connection it came on. */
  const connectionOf = async (url: string, agent: Agent): Promise<string | undefined> => {
    const authorization = `Bearer ${await caller.tokenOf('alice')}`;
    return new Promise((resolve, reject) => {
      httpRequest(new URL('/v1/accounts/payer', url), { agent, headers: { authorization } }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.headers.connection));
      })
        .once('error', reject)
        .end();
    });
  };

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
    const lockedAt = performance.now();
    return {
      /** Answers for how many milliseconds the account was held. */
      async releaseAfter(delayMs: number): Promise<number> {
        await sleep(delayMs);
        await client.end();
        return performance.now() - lockedAt;
      },
    };
  }

  /** Fails if a stop has cost the payment an attempt. */
  async function expectOneAttempt(transferId: string, heldMs: number): Promise<void> {
    const attempts = await witness.attemptsOf(`${caller.tenant}/transfers/${transferId}`, 'withdraw');
    // A statement waits two seconds for a lock: on a machine that was busier than that, the first attempt gave up.
    expect(attempts).toBeLessThanOrEqual(heldMs < 2_000 ? 1 : 2);
    expect(attempts).toBeGreaterThanOrEqual(1);
  }
});
