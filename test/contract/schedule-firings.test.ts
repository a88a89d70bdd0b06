import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createSchedule,
  everySecond,
  firingsOf,
  keyed,
  probeAction,
  remove,
  scheduleEnvironment,
} from '../fixtures/schedules.ts';
import type { Reply } from '../harness/caller.ts';
import { sumIn } from '../harness/metrics.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let portico: Portico;
let operator: TemporalOperator;

beforeAll(async () => {
  portico = await startPortico({
    environment: { ...scheduleEnvironment, PORTICO_TRANSFERS_APPROVAL_LIMITS: 'EUR:100' },
  });
  operator = await connectOperator(temporalAddress());
  await portico.untilReady();
});
afterAll(async () => {
  await operator.close();
  await portico.stop();
});

const hourMs = 3_600_000;
const daily = { cron: ['0 9 * * *'] };
const waiting = { spec: everySecond, action: probeAction({ mode: 'wait' }) };
const finish = (href: string) => portico.post(`${href}/finish`, undefined, keyed('end'));
const seen = async (path: string) => (await portico.get(path)).body;

describe.concurrent('a firing', () => {
  it('starts an instance under the key of its time', async () => {
    const { name, path } = await createSchedule(portico, { spec: everySecond });
    const [firing] = await firingsOf(portico, path, 2);
    expect(firing?.instance).toMatchObject({ id: `${name}.${firing?.scheduledAt}` });
    await until(
      () => portico.get(firing?.instance.href ?? ''),
      ({ body }) => body.outcome === 'completed',
    );
    expect((await remove(portico, path)).status).toBe(204);
    expect((await portico.get(path)).status).toBe(404);
  });

  it('starts nothing while its schedule is paused', async () => {
    const [paused, other] = await Promise.all([0, 1].map(() => createSchedule(portico, { spec: everySecond })));
    const countOf = async (each = paused): Promise<number> => (await seen(each?.path ?? '')).counts.fired;
    await firingsOf(portico, paused?.path ?? '', 1);
    await portico.post(`${paused?.path}/pause`, undefined);
    const [count, ofOther] = [await countOf(), await countOf(other)];
    await until(
      () => countOf(other),
      (fired) => fired > ofOther + 1,
    );
    expect(await countOf()).toBe(count);
    await portico.post(`${paused?.path}/resume`, undefined);
    await until(countOf, (fired) => fired > count);
    await Promise.all([paused, other].map((each) => remove(portico, each?.path ?? '')));
  });

  it('is skipped while the instance of an earlier one goes on', async () => {
    const { path } = await createSchedule(portico, { ...waiting, overlap: 'skip' });
    const [first] = await firingsOf(portico, path, 1);
    const { counts } = await until(
      () => seen(path),
      (body) => body.counts.skipped > 1,
    );
    expect(counts.fired).toBe(1);
    await finish(first?.instance.href ?? '');
    await until(
      () => seen(path),
      (body) => body.counts.fired === 2,
    );
    await remove(portico, path);
  });

  it('waits, and only one does, where one may be buffered', async () => {
    const { path } = await createSchedule(portico, { ...waiting, overlap: 'buffer-one' });
    const [first] = await firingsOf(portico, path, 1);
    const { counts } = await until(
      () => seen(path),
      (body) => body.counts.skipped > 1,
    );
    expect(counts).toMatchObject({ fired: 1, buffered: 1 });
    await finish(first?.instance.href ?? '');
    const [second, before] = await firingsOf(portico, path, 2);
    expect(before?.instance.id).toBe(first?.instance.id);
    // It has the time at which it should have begun.
    expect(Date.parse(second?.scheduledAt ?? '') - Date.parse(first?.scheduledAt ?? '')).toBe(1_000);
    await remove(portico, path);
  });

  it('starts beside the others where all are allowed', async () => {
    const { path } = await createSchedule(portico, { ...waiting, overlap: 'allow-all' });
    const firings = await firingsOf(portico, path, 3);
    // The engine does not look how these end.
    expect(firings.map(({ state }) => state)).toEqual(firings.map(() => undefined));
    await remove(portico, path);
    const probes = await until(
      () => Promise.all(firings.map(({ instance }) => portico.get(instance.href))),
      (replies) => replies.every(({ status }) => status === 200),
    );
    expect(probes.map(({ body }) => body.status)).toEqual(firings.map(() => 'running'));
  });

  it('cancels the instance before it by that process own action', async () => {
    await portico.openAccounts('payer', 'payee');
    const input = { from: 'payer', to: 'payee', amount: { currency: 'EUR', minor: '500' } };
    const action = { process: 'transfers', input };
    const { path } = await createSchedule(portico, { spec: everySecond, action, overlap: 'cancel-other' });
    const firings = await firingsOf(portico, path, 2);
    await remove(portico, path);
    const oldest = firings.at(-1)?.instance.href ?? '';
    const transfer = await until(
      () => portico.get(`${oldest}/result`),
      ({ body }) => body.status === 'closed',
    );
    expect(transfer.body).toMatchObject({ outcome: 'cancelled', result: { by: 'alice' } });
  });

  it('is skipped while an earlier instance can still be resumed: the engine ended it, and its row has no outcome', async () => {
    await portico.openAccounts('owner', 'owed');
    const input = { from: 'owner', to: 'owed', amount: { currency: 'EUR', minor: '50000' } };
    const action = { process: 'transfers', input };
    const { path } = await createSchedule(portico, { spec: everySecond, action, overlap: 'skip' });
    const [first] = await firingsOf(portico, path, 1);
    await until(
      () => portico.get(first?.instance.href ?? ''),
      ({ body }) => body.step === 'awaiting-approval',
    );
    await operator.terminate(`${portico.tenant}/transfers/${first?.instance.id ?? ''}`);
    const { skipped } = (await seen(path)).counts as { skipped: number };
    const after = await until(
      () => seen(path),
      ({ counts }) => counts.fired > 1 || counts.skipped > skipped + 4,
    );
    expect(after.counts.fired).toBe(1);
    await remove(portico, path);
  });

  it('belongs to whoever made the schedule, who cannot approve what it starts', async () => {
    await portico.openAccounts('giver', 'taker');
    const input = { from: 'giver', to: 'taker', amount: { currency: 'EUR', minor: '500' } };
    const name = unique('pay');
    const body = { name, spec: { cron: ['@yearly'] }, action: { process: 'transfers', input } };
    await portico.post('/v1/schedules', body, { subject: 'sam' });
    const triggered = await portico.post(`/v1/schedules/${name}/trigger`, undefined, { subject: 'tom', ...keyed('k') });
    const { href } = triggered.body.instance;
    await until(
      () => portico.get(href),
      ({ body: told }) => told.step === 'awaiting-approval',
    );
    const own = await portico.post(`${href}/approve`, {}, { subject: 'sam' });
    expect(own.body).toMatchObject({ code: 'second-person-required' });
    expect((await portico.post(`${href}/approve`, {}, { subject: 'olga' })).status).toBeLessThan(300);
  });

  it('that can start nothing fails, and pauses the schedule where that is wished', async () => {
    const { path, at, told, etag, body } = await firedInVain(
      { pauseOnFailure: true },
      ({ state }) => state === 'paused',
    );
    expect(told).toMatchObject({ note: { reason: 'a firing failed' }, counts: { fired: 1 } });
    expect(told.firings).toMatchObject([{ scheduledAt: at, state: 'failed' }]);
    // Who saw it before would let it fire again without having seen why it does not.
    const stale = await portico.put(path, body, { headers: { 'if-match': etag } });
    expect(stale.body).toMatchObject({ code: 'precondition-failed' });
    const resumed = await portico.post(`${path}/resume`, { reason: 'mended' });
    expect(resumed.body).toMatchObject({ state: 'active', note: { reason: 'mended' } });
    const later = await until(
      () => seen(path),
      ({ counts }) => counts.fired > 1,
    );
    expect(later.state).toBe('active');
    await remove(portico, path);
  });

  it('whose instance Temporal ended fails, and pauses the schedule where that is wished', async () => {
    const { name, path } = await createSchedule(portico, { ...waiting, pauseOnFailure: true });
    const [first] = await firingsOf(portico, path, 1);
    await until(
      () => portico.get(first?.instance.href ?? ''),
      ({ status }) => status === 200,
    );
    await operator.terminate(`${portico.tenant}/probes/${name}.${first?.scheduledAt}`);
    const told = await until(
      () => seen(path),
      ({ state }) => state === 'paused',
    );
    expect(told.note).toEqual({ reason: 'a firing failed' });
    await remove(portico, path);
  });

  it('of past times is made once, also while its instance goes on', async () => {
    const { name, path } = await createSchedule(portico, { spec: daily, action: waiting.action });
    const range = { from: '2026-10-24T00:00:00Z', to: '2026-10-25T12:00:00Z', overlap: 'allow-all' };
    const backfill = () => portico.post(`${path}/backfill`, range);
    expect((await backfill()).status).toBe(202);
    const ids = ['24', '25'].map((day) => `${name}.2026-10-${day}T09:00:00Z`);
    const running = () => Promise.all(ids.map((id) => portico.get(`/v1/probes/${id}`)));
    const before = await until(running, (replies) => replies.every(({ status }) => status === 200));
    expect((await backfill()).status).toBe(202);
    expect((await running()).map(({ body }) => body.runId)).toEqual(before.map(({ body }) => body.runId));
  });

  it('of past times is left out for no jitter', async () => {
    const { name, path } = await createSchedule(portico, { spec: { ...daily, jitterSeconds: 86_400 } });
    const lastMs = (Math.floor((Date.now() / hourMs - 9) / 24) * 24 + 9) * hourMs;
    const times = [2, 1, 0].map((days) => new Date(lastMs - days * 24 * hourMs).toISOString().replace('.000Z', 'Z'));
    const range = { from: times[0], to: times[2] };
    expect(await portico.post(`${path}/backfill`, range)).toMatchObject({ status: 202, body: { firings: 3 } });
    const told = await until(
      () => seen(path),
      ({ counts, firings }) => counts.fired === 3 && firings.every(({ state }: { state: string }) => state === 'ended'),
    );
    const ids = told.firings.map(({ instance }: { instance: { id: string } }) => instance.id);
    expect(ids.sort()).toEqual(times.map((time) => `${name}.${time}`));
  });
});

describe('the metrics', () => {
  it('count each firing once, by its process and what became of it', async () => {
    const results = ['created', 'idempotency-mismatch'];
    const read = async (): Promise<number[]> => {
      const { text } = await portico.admin('/metrics');
      const count = (result: string) =>
        sumIn(text, 'portico_schedule_firing_seconds_count', { process: 'user-grants', result });
      return [...results.map(count), sumIn(text, 'portico_schedule_firing_seconds_count', { process: 'user-grants' })];
    };
    const before = await read();
    // No other schedule of this Portico starts such.
    const action = { process: 'user-grants', input: { name: 'Ann Example', locale: 'en' } };
    const { name, path } = await createSchedule(portico, { action });
    const [good, taken] = ['2026-01-01T00:00:00Z', '2025-01-01T00:00:00Z'];
    await portico.post('/v1/user-grants', { userId: `${name}.${taken}`, name: 'Another', locale: 'en' });
    for (const at of [good, taken]) await portico.post(`${path}/backfill`, { from: at, to: at });
    const told = await until(read, ([, , all = 0]) => all >= (before[2] ?? 0) + 2);
    expect(told.map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1, 2]);
    await remove(portico, path);
  });
});

/** A schedule whose first firing finds its key taken by another payload. */
async function firedInVain(options: object, isDone: (body: Reply['body']) => boolean) {
  const name = unique('s');
  const at = new Date(Math.ceil(Date.now() / 1_000 + 2) * 1_000).toISOString().replace('.000Z', 'Z');
  await portico.post('/v1/probes', { probeId: `${name}.${at}`, mode: 'wait' });
  const spec = { ...everySecond, from: at };
  const path = `/v1/schedules/${name}`;
  const body = { spec, action: probeAction(), ...options };
  const created = await portico.post('/v1/schedules', { name, ...body });
  const told = await until(() => seen(path), isDone);
  return { path, at, told, body, etag: created.headers.get('etag') ?? '' };
}
