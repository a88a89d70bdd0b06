import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { allotmentsV1, allowance } from '../fixtures/allotments.ts';
import type { RequestOptions } from '../harness/caller.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';

let portico: Portico;
beforeAll(async () => {
  portico = await startPortico({ definitions: [allotmentsV1] });
  await portico.untilReady();
});
afterAll(() => portico.stop());
beforeEach(() => {
  allowance.most = 10;
});

const keyed = (key: string, other: RequestOptions = {}) => ({
  ...other,
  headers: { 'idempotency-key': key, ...other.headers },
});
const start = (key: string, asked: number, other?: RequestOptions) =>
  portico.post('/v1/allotments', { asked }, keyed(key, other));

describe('details', () => {
  it('are shown by the start, a read, an action, a list and after the end', async () => {
    const key = unique('allotment');
    const started = await start(key, 3);
    expect(started.status).toBe(202);
    expect(started.body).toMatchObject({ id: key, granted: 3, until: started.body.startedAt });
    expect((await portico.get(`/v1/allotments/${key}`)).body).toMatchObject({ granted: 3 });
    const raised = await portico.post(`/v1/allotments/${key}/raise`, { by: 1 }, keyed('r1'));
    expect(raised.body).toMatchObject({ granted: 4, step: 'raised', output: { granted: 4 } });
    // The rest of the memo is as it was.
    expect((await start(key, 3)).body).toMatchObject({ granted: 4, startedAt: started.body.startedAt });
    await until(
      () => portico.get('/v1/allotments'),
      ({ body: { items } }) => items.some((item: { granted: number }) => item.granted === 4),
    );
    const ended = await portico.post(
      `/v1/allotments/${key}/finish`,
      {},
      keyed('f', { headers: { prefer: 'wait=20' } }),
    );
    expect(ended.body).toMatchObject({ status: 'closed', granted: 4, result: { granted: 4 } });
  });

  it('are those of the end where a start waited for it', async () => {
    const key = unique('allotment');
    const waiting = start(key, 1, { headers: { prefer: 'wait=20' } });
    await until(
      () => portico.get(`/v1/allotments/${key}`),
      ({ status }) => status === 200,
    );
    await portico.post(`/v1/allotments/${key}/raise`, { by: 1 }, keyed('r1'));
    await portico.post(`/v1/allotments/${key}/finish`, {});
    expect((await waiting).body).toMatchObject({ status: 'closed', granted: 2, result: { granted: 2 } });
  });

  it('outlast the run', async () => {
    const key = unique('allotment');
    const { body } = await start(key, 1);
    await portico.post(`/v1/allotments/${key}/raise`, { by: 1 }, keyed('r1'));
    await portico.post(`/v1/allotments/${key}/renew`, {}, keyed('n1'));
    const raised = await until(
      () => portico.post(`/v1/allotments/${key}/raise`, { by: 1 }, keyed('r2')),
      ({ status }) => status === 202,
    );
    expect(raised.body).toMatchObject({ granted: 3, startedAt: body.startedAt, until: body.until, runId: body.runId });
    expect((await start(key, 1)).headers.get('idempotency-status')).toBe('joined');
  });
});

describe('a start that is prepared', () => {
  it('is refused, and nothing is started', async () => {
    const key = unique('allotment');
    const refused = await start(key, 11);
    expect([refused.status, refused.body.code, refused.body.effect]).toEqual([429, 'limit-reached', 'none']);
    expect((await portico.get(`/v1/allotments/${key}`)).status).toBe(404);
  });

  it('gets its first answer again where it would be refused now', async () => {
    const key = unique('allotment');
    const first = await start(key, 9);
    allowance.most = 0;
    const again = await start(key, 9);
    expect(again.headers.get('idempotency-status')).toBe('joined');
    expect(again.body.runId).toBe(first.body.runId);
    expect((await start(key, 8)).body.code).toBe('idempotency-mismatch');
    await portico.post(`/v1/allotments/${key}/finish`, {});
    const late = await until(
      () => start(key, 9),
      ({ status }) => status === 200,
    );
    expect(late.headers.get('idempotency-status')).toBe('replayed');
    expect(late.body.result).toEqual({ outcome: 'completed', granted: 9 });
  });

  it('is refused for want of a permission also when it is repeated', async () => {
    const key = unique('allotment');
    expect((await start(key, -1)).status).toBe(202);
    const refused = await start(key, -1, { permissions: ['allotments:start'] });
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
  });
});

describe('an action that is judged', () => {
  const permissions = ['allotments:start', 'allotments:raise'];

  it('is refused by what the instance is, also when it is repeated', async () => {
    const key = unique('allotment');
    await start(key, 4);
    const raise = (id: string, other?: RequestOptions) =>
      portico.post(`/v1/allotments/${key}/raise`, { by: 1 }, keyed(id, other));
    expect((await raise('r1', { permissions })).body.output).toEqual({ granted: 5 });
    expect((await raise('r2', { permissions })).body.code).toBe('forbidden');
    expect((await raise('r1', { permissions })).body.code).toBe('forbidden');
    expect((await raise('r1')).body.output).toEqual({ granted: 5 });
  });

  it('is not found where the instance is of another tenant, or absent', async () => {
    const key = unique('allotment');
    await start(key, 1);
    const foreign = await portico.post(
      `/v1/allotments/${key}/raise`,
      { by: 1 },
      keyed('r', { tenant: unique('other') }),
    );
    const absent = await portico.post(`/v1/allotments/${unique('none')}/raise`, { by: 1 }, keyed('r'));
    expect([foreign.status, absent.status]).toEqual([404, 404]);
    expect(foreign.body.code).toBe(absent.body.code);
  });
});
