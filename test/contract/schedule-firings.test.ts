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
import { sumIn } from '../harness/metrics.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';

let portico: Portico;

beforeAll(async () => {
  portico = await startPortico({
    environment: { ...scheduleEnvironment, PORTICO_TRANSFERS_APPROVAL_LIMITS: 'EUR:100' },
  });
  await portico.untilReady();
});
afterAll(() => portico.stop());

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
    const { path } = await createSchedule(portico, { spec: everySecond });
    await firingsOf(portico, path, 1);
    await portico.post(`${path}/pause`, undefined);
    const { counts } = await seen(path);
    await until(
      () => Promise.resolve(Date.now() % 10_000),
      (ms) => ms % 1_000 > 900,
    );
    const later = await until(
      () => portico.get(path),
      ({ headers }) => Date.parse(headers.get('date') ?? '') > 0,
    );
    expect(later.body.counts.fired).toBe(counts.fired);
    await portico.post(`${path}/resume`, undefined);
    await until(
      () => seen(path),
      (body) => body.counts.fired > counts.fired,
    );
    await remove(portico, path);
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
    await remove(portico, path);
    const probes = await until(
      () => Promise.all(firings.map(({ instance }) => portico.get(instance.href))),
      (replies) => replies.every(({ status }) => status === 200),
    );
    expect(probes.map(({ body }) => body.status)).toEqual(firings.map(() => 'running'));
  });

  it('cancels the instance before it by that process own action', async () => {
    const tenant = portico.tenant;
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
    expect(transfer.body).toMatchObject({ outcome: 'cancelled', result: { by: expect.any(String) as unknown } });
    expect(tenant).toBe(portico.tenant);
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
    const { name, path } = await createSchedule(portico, { spec: { cron: ['@yearly'] }, pauseOnFailure: true });
    // The key of the firing is taken by another payload.
    const at = '2026-01-01T00:00:00Z';
    await portico.post('/v1/probes', { probeId: `${name}.${at}`, mode: 'wait' });
    await portico.post(`${path}/backfill`, { from: at, to: at });
    const told = await until(
      () => seen(path),
      (body) => body.firings[0]?.state !== 'running',
    );
    expect(told.firings[0]).toMatchObject({ scheduledAt: at, state: 'failed' });
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
