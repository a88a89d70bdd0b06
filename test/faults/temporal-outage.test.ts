import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { layFreezing } from '../fixtures/stuck-transfers.ts';
import { closed, transferOf, waitingTransfer } from '../fixtures/transfers.ts';
import type { Reply } from '../harness/caller.ts';
import { expectEnough } from '../harness/fault-counts.ts';
import { createMix, mixedEnvironment } from '../harness/mixed-transfers.ts';
import { reportEmbedded } from '../harness/money-report.ts';
import { expectInTime, expectOutage, timed, type TimedReply, verdictOf } from '../harness/outage-answers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { connectOperator } from '../harness/temporal-operator.ts';
import { underWay } from '../harness/temporal-requests.ts';
import { until } from '../harness/until.ts';
import { type Fault, startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const random = createRandom();
const folder = mkdtempSync(join(tmpdir(), 'portico-outage-'));
const stateDir = join(folder, 'state');

/** The deadlines that Portico has by default, in milliseconds. */
const startMs = 3_000;
const readMs = 2_000;
/** What an operator is promised of the time after an outage is 5 and 15 seconds; a slow machine may take four times that. */
const httpBackMs = 4 * 5_000;
const workerBackMs = 4 * 15_000;

let server: TestTemporalServer;
let proxy: TcpProxy;
let portico: Portico;
let isStopped = false;
const logLines: string[] = [];

beforeAll(async () => {
  server = await startTemporalServer({ databaseFile: join(folder, 'temporal.db') });
  proxy = await startTcpProxy(server.port);
  await proxy.inject('refuse');
  await layFreezing(stateDir);
  const deadlines = { PORTICO_START_DEADLINE: `${startMs}ms`, PORTICO_READ_DEADLINE: `${readMs}ms` };
  const environment = { ...deadlines, ...mixedEnvironment };
  portico = await startPortico({ temporalAddress: proxy.address, stateDir, logLines, environment });
});
afterEach(async ({ task }) => {
  await proxy.heal();
  if (task.result?.state !== 'fail') return;
  console.error(`Portico said:\n${logLines.slice(-40).join('')}`);
  console.error(`Temporal said:\n${server.lastLines(40)}`);
  const direct = connectOperator(server.address).then((operator) => operator.instancesOf(portico.tenant, 'transfers'));
  const counted = await Promise.race([direct.then((runs) => `${runs.length} runs`, String), sleep(5_000, 'nothing')]);
  console.error(`Asked without the proxy, it answers: ${counted}`);
});
afterAll(async () => {
  if (!isStopped) await portico.stop();
  await proxy.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const start = (transferId: string, headers = {}) =>
  timed(() => portico.post('/v1/transfers', transferOf(transferId), { headers }));

const isAccepted = ({ status }: Reply) => status < 300;

/** Fails unless HTTP works again soon after `healedAt`, and a transfer ends soon after that. */
async function expectRecovery(healedAt: number): Promise<void> {
  const id = unique('after');
  const tried = () => start(id);
  const first = await until(tried, ({ status }) => status === 202 || status === 200, { withinMs: httpBackMs });
  const backMs = performance.now() - healedAt;
  const done = await closed(portico, `/v1/transfers/${id}`);
  const doneMs = performance.now() - healedAt;
  console.info(`HTTP was back after ${Math.round(backMs)} ms, a transfer done after ${Math.round(doneMs)} ms`);
  expect(first.body.id).toBe(id);
  expect(done.body.outcome).toBe('completed');
  expect(backMs).toBeLessThanOrEqual(httpBackMs);
  expect(doneMs).toBeLessThanOrEqual(workerBackMs);
}

/** Asks `/livez` again and again. Stopping it fails unless the process has answered all the time, and promptly. */
function watchLivez() {
  const seen = { count: 0, slowestMs: 0, isOver: false };
  const watching = (async () => {
    while (!seen.isOver) {
      const startedAt = performance.now();
      expect((await portico.admin('/livez')).status).toBe(200);
      seen.slowestMs = Math.max(seen.slowestMs, performance.now() - startedAt);
      seen.count += 1;
      await sleep(100);
    }
  })();
  return async () => {
    await until(
      () => seen.count,
      (count) => count > 3,
    );
    seen.isOver = true;
    await watching;
    // It waits for nothing; the rest is the machine's.
    expect(seen.slowestMs).toBeLessThan(10_000);
  };
}

describe('Portico that begins while Temporal is away', () => {
  it('serves, says what is missing, and works once Temporal is there', async () => {
    expect((await portico.admin('/livez')).status).toBe(200);
    // The balancer goes on sending requests: their answers say what is away.
    expect((await portico.admin('/readyz')).status).toBe(200);
    const { status, text } = await portico.admin('/healthz');
    expect(status).toBe(200);
    const failed = (JSON.parse(text) as { checks: { name: string; status: string }[] }).checks
      .filter((check) => check.status === 'failed')
      .map(({ name }) => name);
    expect(failed.sort()).toEqual(['search-attributes', 'temporal', 'workers']);

    await portico.openAccounts('payer', 'payee');

    const never = unique('never');
    const refused = await start(never);
    expectInTime('a start', refused, startMs);
    expectOutage('a start', refused, { changes: true });
    expect(verdictOf(refused)).toBe('none');

    await proxy.heal();
    const healedAt = performance.now();
    await expectRecovery(healedAt);
    const ready = await until(
      () => portico.admin('/healthz'),
      ({ text: said }) => said.includes('"status":"healthy"'),
    );
    expect(JSON.parse(ready.text)).toMatchObject({ status: 'healthy' });
    expect((await portico.get(`/v1/transfers/${never}`)).status).toBe(404);
  });
});

// Before the outages: one of them loses a connection as well, and a second loss within half a minute waits for the first.
describe('a wait', () => {
  it('outlives a connection that is lost meanwhile', async () => {
    const id = await waitingTransfer(portico);
    const { answer: waiting } = await underWay(portico.adminUrl, () =>
      timed(() => portico.get(`/v1/transfers/${id}/result`, { headers: { prefer: 'wait=25' } })),
    );
    const lostAt = performance.now();
    // Nobody here hears of it: for the long poll of the wait the connection is silent, as it always is.
    proxy.forget();
    const approve = () =>
      portico.post(`/v1/transfers/${id}/approve`, {}, { subject: 'bob', headers: { 'idempotency-key': 'once' } });
    await until(approve, isAccepted, { withinMs: workerBackMs });
    const hadTime = performance.now() - lostAt < 15_000;
    const waited = await waiting;
    expectInTime('a wait over a lost connection', waited, 25_000);
    // Where the machine took so long that the wait was nearly over, it may end without a result.
    if (hadTime) expect(waited.body).toMatchObject({ status: 'closed', outcome: 'completed' });
    expect((await closed(portico, `/v1/transfers/${id}`)).body.outcome).toBe('completed');
  });
});

interface Outage {
  readonly begin: () => Promise<void>;
  /** Resolves when Temporal can be reached again. */
  readonly end: () => Promise<void>;
}

const proxied = (fault: Fault): Outage => ({ begin: () => proxy.inject(fault), end: () => proxy.heal() });

const outages: Record<string, Outage> = {
  'refuses connections': proxied('refuse'),
  'is a black hole': proxied('black-hole'),
  'hears everything and answers nothing': proxied('hold-answers'),
  'answers five seconds late': proxied({ delayMs: 5_000 }),
  'was a black hole and knows nothing of the connections afterwards': {
    begin: () => proxy.inject('black-hole'),
    end: async () => {
      proxy.forget();
      await proxy.heal();
    },
  },
  'was killed and comes back with what it knew': {
    begin: async () => {
      await server.kill();
    },
    end: () => server.restart(),
  },
};

describe('while Temporal', () => {
  it.each(Object.entries(outages))(
    '%s, every request is answered in time with the right verdict, and afterwards all goes on',
    async (_, outage) => {
      const waitingOnes = [waitingTransfer(portico), waitingTransfer(portico), waitingTransfer(portico)] as const;
      const [approved, cancelled, asked] = await Promise.all(waitingOnes);
      const { answer: waiting } = await underWay(portico.adminUrl, () =>
        timed(() => portico.get(`/v1/transfers/${asked}/result`, { headers: { prefer: 'wait=3' } })),
      );
      await outage.begin();
      const beganAt = performance.now();
      const stopWatching = watchLivez();

      const verdicts = new Map<string, string>();
      const startOnce = async (headers: Record<string, string>): Promise<TimedReply> => {
        const id = unique('during');
        const reply = await start(id, headers);
        verdicts.set(id, verdictOf(reply));
        return reply;
      };
      const approve = (id: string) =>
        portico.post(`/v1/transfers/${id}/approve`, {}, { subject: 'bob', headers: { 'idempotency-key': 'once' } });
      const cancel = (id: string) => portico.post(`/v1/transfers/${id}/cancel`, {}, { headers: { prefer: 'wait=5' } });
      const kinds = {
        start: { changes: true, limitMs: startMs, send: () => startOnce({}) },
        'start with a wait': { changes: true, limitMs: startMs, send: () => startOnce({ prefer: 'wait=10' }) },
        get: { changes: false, limitMs: readMs, send: () => timed(() => portico.get(`/v1/transfers/${asked}`)) },
        result: {
          changes: false,
          limitMs: readMs,
          send: () => timed(() => portico.get(`/v1/transfers/${asked}/result`, { headers: { prefer: 'wait=10' } })),
        },
        approve: { changes: true, limitMs: startMs, send: () => timed(() => approve(approved)) },
        cancel: { changes: true, limitMs: startMs, send: () => timed(() => cancel(cancelled)) },
        list: { changes: false, limitMs: readMs, send: () => timed(() => portico.get('/v1/transfers?limit=5')) },
      };
      const actions: Record<'approve' | 'cancel', string[]> = { approve: [], cancel: [] };
      for (let round = 0; performance.now() - beganAt < 3_500; round += 1) {
        await Promise.all(
          Object.entries(kinds).map(async ([kind, { changes, limitMs, send }]) => {
            const what = `${kind} in round ${round}`;
            const reply = await send();
            expectInTime(what, reply, limitMs);
            expectOutage(what, reply, { changes });
            if (kind === 'approve' || kind === 'cancel') actions[kind].push(verdictOf(reply));
          }),
        );
        expect((await portico.get('/v1/accounts/payer')).status).toBe(200);
      }
      const waited = await waiting;
      expect(waited.status, JSON.stringify(waited.body)).toBe(202);
      expectInTime('a wait that was under way', waited, 3_000);
      expect((await portico.admin('/readyz')).status).toBe(200);
      expect((await portico.admin('/healthz')).text).toMatch(/"name":"temporal","status":"failed"/);
      await stopWatching();

      await outage.end();
      const healedAt = performance.now();
      await expectRecovery(healedAt);

      // Whoever was told that nothing happened was told the truth, and whoever was not learns it by the same key.
      const landed: string[] = [];
      const check = async ([id, verdict]: [string, string]) => {
        const { status } = await portico.get(`/v1/transfers/${id}`);
        if (status === 200) landed.push(id);
        if (verdict === 'none') expect(status, `${id} was called not started`).toBe(404);
        let tries = 0;
        const again = await until(
          () => start(id).finally(() => (tries += 1)),
          (reply) => reply.status < 300,
        );
        // One in doubt may still land between the two.
        if (tries === 1 && (status === 200 || verdict === 'none'))
          expect(again.headers.get('idempotency-status') === 'created', id).toBe(status === 404);
      };
      await Promise.all([...verdicts].map(check));
      if (!actions.approve.includes('unknown')) {
        expect((await portico.get(`/v1/transfers/${approved}`)).body.step).toBe('awaiting-approval');
      }
      if (!actions.cancel.includes('unknown')) {
        expect((await portico.get(`/v1/transfers/${cancelled}`)).body.step).toBe('awaiting-approval');
      }
      await until(() => approve(approved), isAccepted);
      await until(() => cancel(cancelled), isAccepted);
      const ended = async (id: string) => (await closed(portico, `/v1/transfers/${id}`)).body.outcome as string;
      expect([await ended(approved), await ended(cancelled)]).toEqual(['completed', 'cancelled']);
      const told = [...verdicts.values()];
      console.info(
        `starts: ${told.filter((v) => v === 'none').length} told nothing happened, ` +
          `${told.filter((v) => v === 'unknown').length} told unknown, of which ${landed.length} had landed; ` +
          `actions: ${actions.approve.join()} ${actions.cancel.join()}`,
      );
    },
  );
});

// Last: it stops Portico, to look into its books without it.
it(
  'while Temporal is killed again and again, transfers of every kind end as their callers were told',
  async () => {
    await proxy.heal();
    const mix = createMix({ random, send: () => portico });
    await mix.open();
    let kills = 0;
    const killing = (async () => {
      while (kills < scaled(3)) {
        await sleep(random.between(300, 1_500));
        await server.kill();
        kills += 1;
        await sleep(random.between(0, 500));
        await server.restart();
      }
    })();
    await Promise.all([killing, mix.run({ atLeast: scaled(14), isOver: () => kills === scaled(3) })]);
    const outcomes = await mix.outcomes();
    const { tenant } = portico;
    await portico.stop();
    isStopped = true;
    const report = await reportEmbedded(stateDir, tenant);
    mix.expectMoney(report);
    expectEnough('kills of Temporal', { kills, retried: mix.retried.length, ...outcomes, ...mix.seen });
  },
  scaled(1_800_000),
);
