import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { layFreezing } from '../fixtures/stuck-transfers.ts';
import { closed, transferOf } from '../fixtures/transfers.ts';
import type { Reply } from '../harness/caller.ts';
import { expectEnough } from '../harness/fault-counts.ts';
import { inParallel } from '../harness/in-parallel.ts';
import { createMix, mixedEnvironment } from '../harness/mixed-transfers.ts';
import { reportEmbedded } from '../harness/money-report.ts';
import { expectInTime, expectOutage, timed, verdictOf } from '../harness/outage-answers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { createRandom, scaled } from '../harness/random.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { type Fault, startTcpProxy, type TcpProxy } from '../servers/tcp-proxy.ts';
import { startTemporalServer, type TestTemporalServer } from '../servers/temporal.ts';

const random = createRandom();
const folder = mkdtempSync(join(tmpdir(), 'portico-cuts-'));
const stateDir = join(folder, 'state');

/** Short, so that many a start is left without an answer. */
const startMs = 1_000;
const readMs = 2_000;

const troubles: readonly (Fault | 'cut' | 'lost answers')[] = [
  'cut',
  'lost answers',
  'lost answers',
  'refuse',
  'reset',
  'black-hole',
  { delayMs: 400 },
];

let server: TestTemporalServer;
let proxy: TcpProxy;
let portico: Portico;
let operator: TemporalOperator;
let isStopped = false;

beforeAll(async () => {
  server = await startTemporalServer({ databaseFile: join(folder, 'temporal.db') });
  proxy = await startTcpProxy(server.port);
  operator = await connectOperator(server.address);
  await layFreezing(stateDir);
  const deadlines = { PORTICO_START_DEADLINE: `${startMs}ms`, PORTICO_READ_DEADLINE: `${readMs}ms` };
  const environment = { ...deadlines, ...mixedEnvironment };
  portico = await startPortico({ temporalAddress: proxy.address, stateDir, environment });
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
});
afterEach(() => proxy.heal());
afterAll(async () => {
  if (!isStopped) await portico.stop();
  await operator.close();
  await proxy.close();
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const start = (transferId: string, headers = {}) =>
  timed(() => portico.post('/v1/transfers', transferOf(transferId), { headers }));
const workflowIdOf = (transferId: string) => `${portico.tenant}/transfers/${transferId}`;
const isAccepted = ({ status }: Reply) => status < 300;
const idempotencyStatusOf = ({ headers }: Reply) => headers.get('idempotency-status');

/** Starts so many transfers, one after the other; answers how many of them began in the co-hosted worker at once. */
async function countEager(count: number): Promise<number> {
  let eager = 0;
  for (let each = 0; each < count; each += 1) {
    const id = unique('eager');
    await until(() => start(id), isAccepted);
    if (await operator.wasEager(workflowIdOf(id))) eager += 1;
  }
  return eager;
}

/** Resolves once nine of ten starts in a row were eager. */
const mostAreEager = () =>
  until(
    () => countEager(10),
    (eager) => eager >= 9,
  );

describe('a start beside a healthy worker', () => {
  it('is eager, takes the plain path in an outage, and is eager again soon after', async () => {
    await mostAreEager();

    await proxy.inject('refuse');
    // On the worker's own connection an outage looks like silence, with an unknown outcome: the plain path refuses.
    await until(
      async () => {
        const verdicts: string[] = [];
        for (let each = 0; each < 10; each += 1) {
          const refused = await start(unique('plain'));
          expectOutage('a start', refused, { changes: true });
          expectInTime('a start in an outage', refused, startMs);
          verdicts.push(verdictOf(refused));
        }
        return verdicts;
      },
      (verdicts) => verdicts.every((verdict) => verdict === 'none'),
    );

    await proxy.heal();
    const first = unique('first');
    await until(() => start(first), isAccepted);
    await mostAreEager();
  });
});

describe('while the connection to Temporal comes and goes', () => {
  it('every request is answered in time, and each problem has the right verdict', async () => {
    const known = unique('known');
    await until(() => start(known), isAccepted);
    await closed(portico, `/v1/transfers/${known}`);
    const seen = { served: 0, refused: 0 };
    const isEnough = () => seen.served >= 5 && seen.refused >= 5;
    const flapping = flap({ forMs: 8_000, isEnough, longestMs: 2_500 });
    // A wait of one second, and the reads before and after it.
    const kinds = {
      start: { changes: true, limitMs: startMs, send: () => start(unique('flap')) },
      'start with a wait': {
        changes: true,
        limitMs: startMs + 1_000 + 2 * readMs,
        send: () => start(unique('flap'), { prefer: 'wait=1' }),
      },
      get: { changes: false, limitMs: readMs, send: () => timed(() => portico.get(`/v1/transfers/${known}`)) },
      result: {
        changes: false,
        limitMs: 2 * readMs,
        send: () => timed(() => portico.get(`/v1/transfers/${known}/result`, { headers: { prefer: 'wait=1' } })),
      },
      list: { changes: false, limitMs: readMs, send: () => timed(() => portico.get('/v1/transfers?limit=5')) },
    };
    await Promise.all(
      Object.entries(kinds).map(async ([kind, { changes, limitMs, send }]) => {
        while (!flapping.isOver()) {
          const reply = await send();
          expectInTime(kind, reply, limitMs);
          if (reply.status >= 300) expectOutage(kind, reply, { changes });
          seen[reply.status >= 300 ? 'refused' : 'served'] += 1;
          expect((await portico.admin('/livez')).status).toBe(200);
        }
      }),
    );
    await flapping.end;
    console.info(`flapping: ${seen.served} served, ${seen.refused} refused`);
    expect(isEnough(), JSON.stringify(seen)).toBe(true);
    // Five seconds are promised, and a slow machine may take six times that.
    await until(
      () => portico.get(`/v1/transfers/${known}`),
      ({ status }) => status === 200,
      { withinMs: 30_000 },
    );
  });

  it(
    'a key starts one transfer, is created once, and is never called not started when it was',
    async () => {
      const answers = new Map<string, Reply[]>();
      const seen = { created: 0, unknown: 0, landed: 0, none: 0 };
      // Every kind of trouble has to have been met, or nothing was shown.
      const isEnough = () => seen.unknown >= 5 && seen.landed >= 3 && seen.none >= 5;
      const ask = async (key: string): Promise<boolean> => {
        const reply = await start(key);
        // The start itself, and for a duplicate a read.
        expectInTime(`the start of ${key}`, reply, startMs + readMs);
        const before = answers.get(key) ?? [];
        answers.set(key, [...before, reply]);
        if (reply.status >= 300) {
          expectOutage(`the start of ${key}`, reply, { changes: true });
          seen[verdictOf(reply) === 'unknown' ? 'unknown' : 'none'] += 1;
          return false;
        }
        if (idempotencyStatusOf(reply) === 'created') seen.created += 1;
        else if (!before.some(isAccepted)) seen.landed += 1;
        return true;
      };

      const cutting = flap({
        forMs: 0,
        isEnough: () => isEnough() && answers.size >= scaled(150),
        longestMs: 1_800,
      });
      const mix = createMix({ random, send: () => portico, forget: (id) => operator.forget(workflowIdOf(id)) });
      await mix.open();
      const mixing = mix.run({ atLeast: scaled(16), isOver: () => true });
      // Told where it is awaited.
      mixing.catch(() => undefined);
      // Where much is still to be met, keys in doubt are asked for once more: a slow machine could not finish ever new ones.
      const nextKey = (): string => {
        const isDoubtful = ([key, replies]: [string, Reply[]]) => !asked.has(key) && !replies.some(isAccepted);
        const [doubtful] = answers.size < scaled(150) ? [] : random.shuffled([...answers].filter(isDoubtful));
        return doubtful?.[0] ?? unique('cut');
      };
      /** Each by one relay at a time, or their answers would have no order. */
      const asked = new Set<string>();
      const relay = async () => {
        while (!cutting.isOver()) {
          const key = nextKey();
          asked.add(key);
          // Some are repeated at once, as an impatient relay does, and some only when all is well again.
          const isPatient = random.between(0, 1) === 1;
          for (let attempt = 0; attempt < 3 && !(await ask(key)) && !isPatient; attempt += 1) await sleep(20);
          asked.delete(key);
          await sleep(random.between(0, 200));
        }
      };
      await Promise.all(Array.from({ length: 12 }, relay));
      await cutting.end;
      const keys = [...answers.keys()];
      // At least once more, also where it was acknowledged before.
      await inParallel(12, keys, async (key) => {
        while (!(await ask(key))) await sleep(100);
      });
      console.info(`starts under cuts: ${keys.length} keys, ${JSON.stringify(seen)}`);
      expect(isEnough(), JSON.stringify(seen)).toBe(true);

      for (const [key, replies] of answers) {
        const created = replies.filter((reply) => idempotencyStatusOf(reply) === 'created').length;
        expect(created, `${key} was created ${created} times`).toBeLessThanOrEqual(1);
        // Where nobody was left in doubt, what was called `none` was none.
        const untilAccepted = replies.slice(0, replies.findIndex(isAccepted) + 1);
        const told = replies.map(
          (reply) => `${reply.status} ${String(reply.body.code ?? idempotencyStatusOf(reply))} ${verdictOf(reply)}`,
        );
        if (!untilAccepted.some((reply) => verdictOf(reply) === 'unknown'))
          expect(untilAccepted.map(idempotencyStatusOf).at(-1), `${key}: ${told.join(', ')}`).toBe('created');
        // A step whose attempts were lost again and again is tried again after ten seconds and up to thirty.
        const { body } = await closed(portico, `/v1/transfers/${key}`);
        expect(body.outcome, key).toBe('completed');
        const runIds = new Set(replies.filter(isAccepted).map((reply) => reply.body.runId as string));
        expect(runIds, key).toEqual(new Set([body.runId]));
      }

      await mixing;
      const outcomes = await mix.outcomes();

      const started = () => operator.instancesOf(portico.tenant, 'transfers');
      const ofCuts = (ids: string[]) => ids.filter((id) => id.startsWith(workflowIdOf('cut-'))).sort();
      await until(started, (ids) => ofCuts(ids).length >= keys.length);
      expect(ofCuts(await started())).toEqual(keys.map(workflowIdOf).sort());

      await portico.stop();
      isStopped = true;
      const report = await reportEmbedded(stateDir, portico.tenant);
      expect(report.findings).toEqual([]);
      expect(keys.filter((key) => report.outcomes.get(key) !== 'completed')).toEqual([]);
      const mixed = mix.ids();
      const completed = [...report.outcomes].filter(([id, outcome]) => !mixed.has(id) && outcome === 'completed');
      const moved = BigInt(completed.length) * 100n;
      expect(report.balances.get('payee')).toBe(100_000_000n + moved);
      expect(report.balances.get('payer')).toBe(100_000_000n - moved);
      mix.expectMoney(report);
      expectEnough('cuts of Temporal', { retried: mix.retried.length, ...outcomes, ...mix.seen });
    },
    scaled(1_800_000),
  );
});

/** Every kind of trouble in turn, each for a while; for so long, then until it is enough, and at most for ten minutes, scaled. */
function flap({ forMs, isEnough, longestMs }: { forMs: number; isEnough: () => boolean; longestMs: number }) {
  const startedAt = performance.now();
  const isOver = () => {
    const lastedMs = performance.now() - startedAt;
    return lastedMs > scaled(600_000) || (lastedMs > forMs && isEnough());
  };
  const flapping = async () => {
    for (;;)
      for (const trouble of random.shuffled(troubles)) {
        if (isOver()) return;
        if (trouble !== 'cut') {
          await proxy.inject(trouble === 'lost answers' ? 'hold-answers' : trouble);
          await sleep(random.between(50, longestMs));
        }
        if (trouble === 'cut' || trouble === 'lost answers') proxy.cut();
        await proxy.heal();
        await sleep(random.between(20, 250));
      }
  };
  return { isOver, end: flapping() };
}
