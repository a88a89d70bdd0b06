import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expectInTime, expectOutage, timed, type TimedReply, verdictOf } from '../harness/outage-answers.ts';
import { eventually, type Portico, type Reply, startPortico, unique } from '../harness/portico.ts';
import { openTemporalWitness } from '../harness/temporal-operator.ts';
import { type Fault, startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const folder = mkdtempSync(join(tmpdir(), 'portico-outage-'));
const stateDir = join(folder, 'state');

/** The deadlines that Portico has by default, in milliseconds. */
const startMs = 3_000;
const readMs = 2_000;
/** What an operator is promised of the time after an outage. */
const httpBackMs = 5_000;
const workerBackMs = 15_000;

let server: TestTemporalServer;
let proxy: TcpProxy;
let portico: Portico;
const logLines: string[] = [];

beforeAll(async () => {
  server = await startTemporalServer({ databaseFile: join(folder, 'temporal.db') });
  proxy = await startTcpProxy(server.port);
  await proxy.inject('refuse');
  portico = await startPortico({ temporalAddress: proxy.address, stateDir, logLines });
});
afterEach(async ({ task }) => {
  await proxy.heal();
  if (task.result?.state !== 'fail') return;
  console.error(`Portico said:\n${logLines.slice(-40).join('')}`);
  console.error(`Temporal said:\n${server.lastLines(40)}`);
  const direct = openTemporalWitness(server.address).then((witness) => witness.runsOf(portico.tenant, 'transfers'));
  const counted = await Promise.race([direct.then((runs) => `${runs.length} runs`, String), sleep(5_000, 'nothing')]);
  console.error(`Asked without the proxy, it answers: ${counted}`);
});
afterAll(async () => {
  await portico.stop();
  await proxy.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const transferOf = (transferId: string, minor = '100') => ({
  transferId,
  from: 'payer',
  to: 'payee',
  amount: { currency: 'EUR', minor },
});

const start = (transferId: string, headers = {}) =>
  timed(() => portico.post('/v1/transfers', transferOf(transferId), { headers }));

/** A transfer that waits for a second person. */
async function waitingTransfer(): Promise<string> {
  const id = unique('waiting');
  await portico.post('/v1/transfers', transferOf(id, '2000000'));
  await eventually(
    () => portico.get(`/v1/transfers/${id}`),
    ({ body }) => body.step === 'awaiting-approval',
  );
  return id;
}

const isClosed = ({ body }: Reply) => body.status === 'closed';

/** Fails unless HTTP works five seconds after `healedAt` and a transfer ends ten seconds later at the latest. */
async function expectRecovery(healedAt: number): Promise<void> {
  const id = unique('after');
  const tried = () => start(id);
  const first = await eventually(tried, ({ status }) => status === 202 || status === 200, httpBackMs);
  const backMs = performance.now() - healedAt;
  const done = await eventually(() => portico.get(`/v1/transfers/${id}`), isClosed, workerBackMs);
  const doneMs = performance.now() - healedAt;
  console.info(`HTTP was back after ${Math.round(backMs)} ms, a transfer done after ${Math.round(doneMs)} ms`);
  expect(first.body.id).toBe(id);
  expect(done.body.outcome).toBe('completed');
  expect(backMs).toBeLessThanOrEqual(httpBackMs);
  expect(doneMs).toBeLessThanOrEqual(workerBackMs);
}

/** Asks for life again and again until told to stop; answers how often that was, and how slow the slowest was. */
function watchLife() {
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
    seen.isOver = true;
    await watching;
    expect(seen.count).toBeGreaterThan(3);
    expect(seen.slowestMs).toBeLessThan(1_000);
  };
}

describe('Portico that begins while Temporal is away', () => {
  it('serves, says what is missing, and works once Temporal is there', async () => {
    expect((await portico.admin('/livez')).status).toBe(200);
    const { status, text } = await portico.admin('/readyz');
    expect(status).toBe(503);
    const failed = (JSON.parse(text) as { checks: { name: string; status: string }[] }).checks
      .filter((check) => check.status === 'failed')
      .map(({ name }) => name);
    expect(failed.sort()).toEqual(['search-attributes', 'temporal', 'workers']);

    const account = { currency: 'EUR', openingBalance: { minor: '100000000' } };
    for (const id of ['payer', 'payee']) expect((await portico.put(`/v1/accounts/${id}`, account)).status).toBe(201);

    const never = unique('never');
    const refused = await start(never);
    expectInTime('a start', refused, startMs);
    expectOutage('a start', refused, { changes: true });
    expect(verdictOf(refused)).toBe('none');

    await proxy.heal();
    const healedAt = performance.now();
    await expectRecovery(healedAt);
    const ready = await eventually(
      () => portico.admin('/readyz'),
      (answer) => answer.status === 200,
      workerBackMs,
    );
    expect(JSON.parse(ready.text)).toMatchObject({ status: 'ready' });
    expect((await portico.get(`/v1/transfers/${never}`)).status).toBe(404);
  });
});

// Before the outages: one of them loses a connection as well, and a second loss within half a minute waits for the first.
describe('a wait', () => {
  it('outlives a connection that is lost meanwhile', async () => {
    const id = await waitingTransfer();
    const waiting = timed(() => portico.get(`/v1/transfers/${id}/result`, { headers: { prefer: 'wait=25' } }));
    await sleep(200);
    // Nobody here hears of it: for the long poll of the wait the connection is silent, as it always is.
    proxy.forget();
    const approve = () =>
      portico.post(`/v1/transfers/${id}/approve`, {}, { subject: 'bob', headers: { 'idempotency-key': 'once' } });
    await eventually(approve, ({ status }) => status < 300, workerBackMs);
    const waited = await waiting;
    expect(waited.status).toBe(200);
    expect(waited.body.outcome).toBe('completed');
    expectInTime('a wait over a lost connection', waited, workerBackMs + 5_000);
  }, 40_000);
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
      const [approved, cancelled, asked] = await Promise.all([waitingTransfer(), waitingTransfer(), waitingTransfer()]);
      const waiting = timed(() => portico.get(`/v1/transfers/${asked}/result`, { headers: { prefer: 'wait=3' } }));
      // The wait is under way once its first read is over.
      await sleep(200);
      await outage.begin();
      const beganAt = performance.now();
      const stopWatching = watchLife();

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
      const readiness = await portico.admin('/readyz');
      expect(readiness.status).toBe(503);
      expect(readiness.text).toMatch(/"name":"temporal","status":"failed"/);
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
        const again = await start(id);
        expect(again.status, JSON.stringify(again.body)).toBeLessThan(300);
        // One in doubt may still land between the two.
        if (status === 200 || verdict === 'none')
          expect(again.headers.get('idempotency-status') === 'created', id).toBe(status === 404);
      };
      await Promise.all([...verdicts].map(check));
      if (!actions.approve.includes('unknown')) {
        expect((await portico.get(`/v1/transfers/${approved}`)).body.step).toBe('awaiting-approval');
      }
      if (!actions.cancel.includes('unknown')) {
        expect((await portico.get(`/v1/transfers/${cancelled}`)).body.step).toBe('awaiting-approval');
      }
      expect((await approve(approved)).status).toBeLessThan(300);
      expect((await cancel(cancelled)).status).toBeLessThan(300);
      const ended = async (id: string) =>
        (await eventually(() => portico.get(`/v1/transfers/${id}`), isClosed)).body.outcome as string;
      expect([await ended(approved), await ended(cancelled)]).toEqual(['completed', 'cancelled']);
      const told = [...verdicts.values()];
      console.info(
        `starts: ${told.filter((v) => v === 'none').length} told nothing happened, ` +
          `${told.filter((v) => v === 'unknown').length} told unknown, of which ${landed.length} had landed; ` +
          `actions: ${actions.approve.join()} ${actions.cancel.join()}`,
      );
    },
    90_000,
  );
});
