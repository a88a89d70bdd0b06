import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyed, scheduleEnvironment } from '../fixtures/schedules.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';

let portico: Portico;

beforeAll(async () => {
  portico = await startPortico({
    environment: { ...scheduleEnvironment, PORTICO_TRANSFERS_APPROVAL_LIMITS: 'EUR:100' },
  });
  await portico.untilReady();
  await portico.openAccounts('giver', 'taker');
});
afterAll(() => portico.stop());

const transfer = (other: object = {}) => ({
  from: 'giver',
  to: 'taker',
  amount: { currency: 'EUR', minor: '500' },
  ...other,
});
const transfers = { process: 'transfers', input: transfer() };
const later = (input: object = transfer()) => ({
  after: 'PT1H',
  deliver: { process: { name: 'transfers', input } },
});
const idle = { cron: ['@yearly'] };
const fired = '2026-01-01T00:00:00Z';

/** A schedule that sam made. */
async function schedule(action: object): Promise<{ name: string; path: string }> {
  const name = unique('pay');
  const created = await portico.post('/v1/schedules', { name, spec: idle, action }, { subject: 'sam' });
  expect(created.status).toBe(201);
  return { name, path: `/v1/schedules/${name}` };
}

const awaitsApproval = (href: string) =>
  until(
    () => portico.get(href),
    ({ body }) => body.step === 'awaiting-approval',
  );

/** Neither of these may approve the transfer, and another person may. */
async function isApprovedByNoneOf(href: string, subjects: readonly string[], another = 'olga'): Promise<void> {
  await awaitsApproval(href);
  for (const subject of subjects) {
    const own = await portico.post(`${href}/approve`, {}, { subject });
    expect([subject, own.status, own.body.code]).toEqual([subject, 403, 'second-person-required']);
  }
  expect((await portico.post(`${href}/approve`, {}, { subject: another })).status).toBeLessThan(300);
}

const startedBy = (id: string) =>
  until(
    () => portico.get(`/v1/delayed-tasks/${id}/result`),
    ({ body }) => body.status === 'closed',
  ).then(({ body }) => `/v1/transfers/${body.result.started.id}`);

describe.concurrent('what a schedule starts is approved neither by its maker nor by', () => {
  it('whoever triggered it', async () => {
    const { path } = await schedule(transfers);
    const { body } = await portico.post(`${path}/trigger`, undefined, { subject: 'tom', ...keyed('k') });
    await isApprovedByNoneOf(body.instance.href, ['tom', 'sam']);
  });

  it('whoever had it fire for past times, also where it was replaced meanwhile', async () => {
    const { name, path } = await schedule(transfers);
    const backfill = (at: string, subject: string) =>
      portico.post(`${path}/backfill`, { from: at, to: at }, { subject });
    expect((await backfill(fired, 'tom')).status).toBe(202);
    const anew = { spec: idle, action: transfers };
    await portico.put(path, anew, { subject: 'rita', headers: { 'if-match': '*' } });
    expect((await backfill('2025-01-01T00:00:00Z', 'tim')).status).toBe(202);
    await isApprovedByNoneOf(`/v1/transfers/${name}.${fired}`, ['tom', 'sam']);
    // The second waits for the end of the first.
    await isApprovedByNoneOf(`/v1/transfers/${name}.2025-01-01T00:00:00Z`, ['tim', 'rita'], 'tom');
  });

  it('whoever triggered it, where a delayed task stands between', async () => {
    const { path } = await schedule({ process: 'delayed-tasks', input: { ...later(), after: 'PT0S' } });
    const { body } = await portico.post(`${path}/trigger`, undefined, { subject: 'tom', ...keyed('k') });
    await isApprovedByNoneOf(await startedBy(body.instance.id), ['tom', 'sam']);
  });
});

describe.concurrent('what a delayed task starts is approved neither by its creator nor by', () => {
  it.each([['run-now'], ['reschedule']])('whoever asked for %s', async (action) => {
    const id = unique('task');
    const own = (subject: string, key: string) => ({ subject, headers: { 'idempotency-key': key } });
    await portico.post('/v1/delayed-tasks', later(), own('sam', id));
    const body = action === 'reschedule' ? { after: 'PT0S' } : {};
    const acted = await portico.post(`/v1/delayed-tasks/${id}/${action}`, body, own('tom', 'now'));
    expect(acted.status).toBeLessThan(300);
    await isApprovedByNoneOf(await startedBy(id), ['tom', 'sam']);
  });
});

describe.concurrent('whoever lacks a permission on what is started in the end', () => {
  const lacking = { subject: 'tom', permissions: ['schedules:trigger', 'schedules:read', 'delayed-tasks:start'] };

  it('neither triggers nor backfills', async () => {
    const { name, path } = await schedule({ process: 'delayed-tasks', input: later() });
    const triggered = await portico.post(`${path}/trigger`, undefined, { ...lacking, ...keyed('k') });
    expect(triggered.body).toMatchObject({ code: 'forbidden' });
    const backfilled = await portico.post(`${path}/backfill`, { from: fired, to: fired }, lacking);
    expect(backfilled.body).toMatchObject({ code: 'forbidden' });
    expect((await portico.get(`/v1/delayed-tasks/${name}.${fired}`)).status).toBe(404);
  });

  it('is not shown the input', async () => {
    const { path } = await schedule(transfers);
    const reader = { permissions: ['schedules:read'] };
    expect((await portico.get(path, reader)).body.action).toEqual({ process: 'transfers' });
    const both = { permissions: ['schedules:read', 'transfers:read'] };
    expect((await portico.get(path, both)).body.action).toEqual(transfers);
  });
});
