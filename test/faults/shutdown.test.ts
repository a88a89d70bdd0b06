import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { closed, transferOf, waitingTransfer } from '../fixtures/transfers.ts';
import { type Caller, createDevelopmentCaller } from '../harness/caller.ts';
import { timed } from '../harness/outage-answers.ts';
import { unique } from '../harness/portico.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { underWay } from '../harness/temporal-requests.ts';
import { until } from '../harness/until.ts';
import { createDeployment, type Deployment } from '../servers/deployment.ts';
import { postgresSkipReason } from '../servers/postgres.ts';
import { endPrograms, type Program, readiness, startProgram } from '../servers/program.ts';
import { type Fault, startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';
import { startWebhookReceiver } from '../servers/webhook-receiver.ts';

const random = createRandom();

describe.skipIf(postgresSkipReason() !== undefined)('SIGTERM', () => {
  let deployment: Deployment;
  let server: TestTemporalServer;
  let toTemporal: TcpProxy;
  let toDatabase: TcpProxy;
  let operator: TemporalOperator;
  let caller: Caller;
  let environment: Record<string, string>;
  beforeAll(async () => {
    [deployment, server] = await Promise.all([createDeployment(), startTemporalServer()]);
    [toTemporal, toDatabase] = await Promise.all([startTcpProxy(server.port), startTcpProxy(deployment.cluster.port)]);
    operator = await connectOperator(server.address);
    caller = createDevelopmentCaller({ stateDir: deployment.keys, tenant: unique('shutdown') });
    const through = (url: string) => url.replace(`:${deployment.cluster.port}/`, `:${toDatabase.port}/`);
    drainMs = Math.max(1_200, deployment.paceMs);
    environment = {
      ...deployment.environment,
      DATABASE_URL: `${through(deployment.environment.DATABASE_URL)}&lock_timeout=${lockTimeoutMs}`,
      TEMPORAL_ADDRESS: toTemporal.address,
      // Below the time that HTTP has to close; above what a slow machine takes.
      PORTICO_START_DEADLINE: `${actionMs}ms`,
      PORTICO_READ_DEADLINE: '3s',
      PORTICO_DRAIN_DELAY: `${drainMs}ms`,
      PORTICO_HTTP_CLOSE_TIMEOUT: `${httpCloseMs}ms`,
      PORTICO_WORKER_GRACE: '5s',
      PORTICO_WEBHOOKS_SCHEMES: 'http',
      PORTICO_WEBHOOKS_PORTS: '1-65535',
      PORTICO_WEBHOOKS_ALLOW_CIDRS: '127.0.0.1',
      PORTICO_WORKER_FORCE: `${workerForceMs}ms`,
    };
  });
  afterEach(() => Promise.all([toTemporal.heal(), toDatabase.heal()]));
  afterAll(async () => {
    await endPrograms();
    await Promise.all([operator.close(), toTemporal.close(), toDatabase.close()]);
    await Promise.all([server.stop(), deployment.close()]);
  });

  /** Long enough for what a test does meanwhile, on this machine. */
  let drainMs: number;
  const actionMs = 5_000;
  const httpCloseMs = 6_000;
  const lockTimeoutMs = 4_000;
  const workerForceMs = 7_000;
  /** How long a stop may take, on whatever machine: one that waits for something that never comes takes longer. */
  const stopMs = () => 2 * (drainMs + httpCloseMs + workerForceMs);

  let last: Program | undefined;

  /** The process that a test before has left running, or a new one. */
  async function running(): Promise<{ program: Program; url: string; adminUrl: string }> {
    const program = last === undefined || last.isOver() ? startProgram('main', environment) : last;
    last = program;
    const found = await program.ready();
    await caller.at(found.url).openAccounts('payer', 'payee');
    return { program, ...found };
  }

  it('cuts nothing: who waits is answered, and what runs is finished once', async () => {
    const { program, url, adminUrl } = await running();
    const [waiting, cancelled] = [await waitingTransfer(caller.at(url)), await waitingTransfer(caller.at(url))];
    const keptAlive = new Agent({ keepAlive: true });
    expect(await connectionOf(url, keptAlive)).toBe('keep-alive');

    // A payment that another holds up, an action that waits for it, and callers who wait for results.
    const held = unique('held');
    const lock = await deployment.lockAccount({ tenant: caller.tenant, accountId: 'payer' });
    const preferWait = { headers: { prefer: 'wait=20' } };
    const waits = [
      caller.at(url).get(`/v1/transfers/${waiting}/result`, preferWait),
      caller.at(url).post('/v1/transfers', transferOf(held), preferWait),
    ];
    await until(deployment.waitingStatements, (count) => count > 0);
    const acting = timed(() => caller.at(url).post(`/v1/transfers/${held}/cancel`, {}));
    await sleep(100);
    program.kill('SIGTERM');
    const toldAt = performance.now();

    // First of all nobody is sent here any more, while who comes is still served, on connections that end.
    const readyz = await until(
      () => readiness(adminUrl),
      ({ status }) => status === 503,
    );
    expect(readyz.text).toContain('"status":"draining"');
    expect(await connectionOf(url, keptAlive)).toBe('close');
    const late = await caller.at(url).post(`/v1/transfers/${cancelled}/cancel`, {}, preferWait);
    expect([late.status, late.body.outcome]).toEqual([200, 'cancelled']);
    program.kill('SIGTERM');
    program.kill('SIGINT');
    expect(performance.now() - toldAt, 'all that happened while it drained').toBeLessThan(drainMs);
    await sleep(500);
    const heldMs = await lock.release();

    const [answers, acted] = await Promise.all([Promise.all(waits), acting]);
    const exit = await program.exited;
    const exitedAfterMs = performance.now() - toldAt;
    expect(exit, program.log()).toEqual({ code: 0, signal: null });
    expect(answers.map(({ status }) => status).slice(0, 1)).toEqual([202]);
    for (const answer of answers) expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
    // On a slow machine its deadline comes before the release of the payment, and only then.
    const isLate = acted.tookMs >= actionMs;
    const said = `${JSON.stringify(acted.body)} after ${acted.tookMs} ms`;
    if (isLate) expect(acted.status, said).toBe(504);
    else expect(acted.status, said).toBeLessThan(300);
    expect(exitedAfterMs).toBeLessThan(stopMs());
    keptAlive.destroy();

    await expectOneAttempt(held, heldMs);
    const next = await running();
    const outcome = async (id: string) => (await ended(next.url, id)).body.outcome as string;
    // The payment was under way: its cancel either returned the money or came too late.
    expect(['cancelled', 'completed']).toContain(await outcome(held));
    expect((await caller.at(next.url).post(`/v1/transfers/${waiting}/reject`, {}, { subject: 'bob' })).status).toBe(
      202,
    );
    expect(await outcome(waiting)).toBe('rejected');
    expect((await deployment.report(caller.tenant)).findings).toEqual([]);
  }, 720_000);

  it('ends a process with an activity that takes longer than its drain, after the activity', async () => {
    const { program, url } = await running();
    const held = unique('long');
    const lock = await deployment.lockAccount({ tenant: caller.tenant, accountId: 'payer' });
    expect((await caller.at(url).post('/v1/transfers', transferOf(held))).status).toBe(202);
    await until(deployment.waitingStatements, (count) => count > 0);
    program.kill('SIGTERM');
    // Longer than it takes to drain.
    await sleep(drainMs + 100);
    const heldMs = await lock.release();
    const releasedAt = performance.now();
    expect(await program.exited, program.log()).toEqual({ code: 0, signal: null });
    expect(performance.now() - releasedAt).toBeLessThan(stopMs());
    await expectOneAttempt(held, heldMs);
    const next = await running();
    expect((await ended(next.url, held)).body.outcome).toBe('completed');
    expect((await deployment.report(caller.tenant)).findings).toEqual([]);
  }, 720_000);

  it('ends an attempt that its receiver holds up, and another process makes it again', async () => {
    const { program, url } = await running();
    let isStopped = false;
    const receiver = await startWebhookReceiver({
      answer: (_, response) => {
        if (isStopped) response.writeHead(204).end();
      },
    });
    onTestFinished(receiver.close);
    const key = unique('hanging');
    const task = {
      after: 'PT0S',
      deliver: { webhook: { url: receiver.url, timeout: 'PT15S' } },
      payload: {},
      retry: { delays: ['PT1S'], maxAttempts: 1 },
    };
    const created = await caller.at(url).post('/v1/delayed-tasks', task, { headers: { 'idempotency-key': key } });
    expect(created.status, JSON.stringify(created.body)).toBe(202);
    await until(
      () => receiver.received.length,
      (count) => count === 1,
    );
    const exit = await program.stop();
    isStopped = true;
    expect(exit, program.log()).toMatchObject({ code: 0, signal: null });
    const next = await running();
    // The attempt that was ended counts for nothing: this one is the first of one.
    const { body } = await closed(caller.at(next.url), `/v1/delayed-tasks/${key}`);
    expect(body).toMatchObject({ outcome: 'delivered' });
    expect(receiver.received).toHaveLength(2);
  }, 720_000);

  const faults: Record<string, () => { proxy: TcpProxy; fault: Fault }> = {
    'Temporal refuses connections': () => ({ proxy: toTemporal, fault: 'refuse' }),
    'Temporal is silent': () => ({ proxy: toTemporal, fault: 'black-hole' }),
    'the database refuses connections': () => ({ proxy: toDatabase, fault: 'refuse' }),
    'the database is silent': () => ({ proxy: toDatabase, fault: 'black-hole' }),
  };

  it.each(Object.entries(faults))(
    'ends the process in time although %s, and who waits is answered',
    async (_, faultOf) => {
      const { program, url, adminUrl } = await running();
      const waiting = await waitingTransfer(caller.at(url));
      const { answer: waits } = await underWay(adminUrl, () =>
        caller.at(url).get(`/v1/transfers/${waiting}/result`, { headers: { prefer: 'wait=20' } }),
      );
      const { proxy, fault } = faultOf();
      await proxy.inject(fault);
      const reading = [caller.at(url).get('/v1/accounts/payer'), start(url)];
      const startedAt = performance.now();
      const exit = await program.stop();
      expect(exit, program.log()).toMatchObject({ code: 0, signal: null });
      expect(exit.tookMs).toBeLessThan(stopMs());
      console.info(`ended after ${Math.round(performance.now() - startedAt)} ms`);
      const [waited, ...answers] = await Promise.all([waits, ...reading]);
      expect(waited.status).toBe(202);
      for (const { status } of answers) expect([200, 202, 503, 504]).toContain(status);
    },
    720_000,
  );

  it('ends a process that has reached neither Temporal nor its database', async () => {
    await Promise.all([toTemporal.inject('refuse'), toDatabase.inject('black-hole')]);
    const program = startProgram('main', environment);
    const { adminUrl } = await program.addresses();
    // It can take requests: what it depends on is told by /healthz alone.
    expect((await readiness(adminUrl)).status).toBe(200);
    const exit = await program.stop();
    expect(exit, program.log()).toMatchObject({ code: 0, signal: null });
    expect(exit.tookMs).toBeLessThan(stopMs());
  }, 720_000);

  it(
    'ends a process that is about to start',
    async () => {
      for (let round = 0; round < scaled(3); round += 1) {
        const program = startProgram('main', environment);
        const afterMs = random.between(0, 2_500);
        await sleep(afterMs);
        const exit = await program.stop();
        // Before it could ask for signals it ends by them.
        expect([0, null], `after ${afterMs} ms:\n${program.log()}`).toContain(exit.code);
        expect([null, 'SIGTERM']).toContain(exit.signal);
      }
    },
    scaled(1_800_000),
  );

  const start = (url: string) => caller.at(url).post('/v1/transfers', transferOf(unique('late')));
  const ended = (url: string, id: string) => closed(caller.at(url), `/v1/transfers/${id}`);

  /** What an answer says about the connection it came on. */
  const connectionOf = async (url: string, agent: Agent): Promise<string | undefined> => {
    const authorization = `Bearer ${await caller.tokenFor()}`;
    return new Promise((resolve, reject) => {
      httpRequest(new URL('/v1/accounts/payer', url), { agent, headers: { authorization } }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.headers.connection));
      })
        .once('error', reject)
        .end();
    });
  };

  /** Fails if a stop has cost the payment an attempt. */
  async function expectOneAttempt(transferId: string, heldMs: number): Promise<void> {
    const attempts = await operator.attemptsOf(`${caller.tenant}/transfers/${transferId}`, 'withdraw');
    // An attempt gives up with its statement. On a slow machine that comes before the release, and another process has
    // to make the next one.
    if (attempts === undefined) expect(heldMs, 'the attempt was lost').toBeGreaterThan(lockTimeoutMs);
    else expect(attempts.count).toBeLessThanOrEqual(1 + Math.floor(heldMs / lockTimeoutMs));
  }
});
