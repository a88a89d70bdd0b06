import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSchedule, idleSpec, keyed, probeAction, scheduleEnvironment } from '../fixtures/schedules.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';

let portico: Portico;

beforeAll(async () => {
  portico = await startPortico({
    environment: { ...scheduleEnvironment, PORTICO_SCHEDULES_LIMIT: '30', PORTICO_SCHEDULES_BACKFILL_LIMIT: '3' },
  });
  await portico.untilReady();
});
afterAll(() => portico.stop());

const pointersOf = async (body: object): Promise<string[]> => {
  const { status, body: problem } = await portico.post('/v1/schedules', body);
  expect(status).toBe(400);
  return problem.errors.map(({ pointer }: { pointer: string }) => pointer);
};
const replacementOf = ({ name: _, ...body }: Record<string, unknown>) => body;

describe.concurrent('creating a schedule', () => {
  it('answers it with its next firings, and finds it again', async () => {
    const { name, path, created } = await createSchedule(portico, { catchUpSeconds: 60 });
    expect(created).toMatchObject({
      status: 201,
      body: { name, state: 'active', overlap: 'skip', catchUpSeconds: 60 },
    });
    expect(created.headers.get('location')).toBe(path);
    expect(created.body.next).toHaveLength(5);
    const found = await portico.get(path);
    expect(found.body).toEqual(created.body);
    expect(found.headers.get('etag')).toBe(created.headers.get('etag'));
  });

  it('again with the same body answers the same schedule, with another is a mismatch', async () => {
    const { body } = await createSchedule(portico);
    expect(await portico.post('/v1/schedules', body)).toMatchObject({ status: 200, body: { name: body.name } });
    const other = await portico.post('/v1/schedules', { ...body, overlap: 'allow-all' });
    expect(other.body).toMatchObject({ status: 422, code: 'idempotency-mismatch' });
  });

  it('at the same time twenty times creates one', async () => {
    const body = { name: unique('s'), spec: idleSpec, action: probeAction() };
    const replies = await Promise.all(Array.from({ length: 20 }, () => portico.post('/v1/schedules', body)));
    expect(replies.map(({ status }) => status).sort()).toEqual([...Array<number>(19).fill(200), 201]);
  });

  it('points to what is wrong with it', async () => {
    const good = { name: unique('s'), spec: idleSpec, action: probeAction() };
    const spec = (wrong: object) => pointersOf({ ...good, spec: wrong });
    expect(await spec({ cron: ['61 * * * *', '* * *'] })).toEqual(['/spec/cron/0', '/spec/cron/1']);
    expect(await spec({ calendars: [{ hour: '25' }] })).toEqual(['/spec/calendars/0/hour']);
    expect(await spec({ ...idleSpec, zone: 'Europe/Nowhere' })).toEqual(['/spec/zone']);
    expect(await spec({ intervals: [{ everySeconds: 5, offsetSeconds: 5 }] })).toEqual([
      '/spec/intervals/0/offsetSeconds',
    ]);
    expect(await spec({})).toEqual(['/spec']);
    expect(await spec({ cron: ['0 0 31 2 *'] })).toEqual(['/spec']);
    expect(await pointersOf({ ...good, action: { process: 'nothing', input: {} } })).toEqual(['/action/process']);
    expect(await pointersOf({ ...good, action: probeAction({ mode: 'fly' }) })).toEqual(['/action/input/mode']);
    expect(await pointersOf({ ...good, action: probeAction({ probeId: 'x' }) })).toEqual(['/action/input/probeId']);
    expect(await pointersOf({ ...good, overlap: 'cancel-other' })).toEqual(['/overlap']);
    expect(await pointersOf({ ...good, overlap: 'allow-all', pauseOnFailure: true })).toEqual(['/pauseOnFailure']);
    expect(await pointersOf({ ...good, name: 'a.b' })).toEqual(['/name']);
  });

  it('needs the permission to start its process', async () => {
    const permissions = ['schedules:write', 'schedules:read'];
    const body = { name: unique('s'), spec: idleSpec, action: probeAction() };
    expect((await portico.post('/v1/schedules', body, { permissions })).body).toMatchObject({ code: 'forbidden' });
  });

  it('is refused past the limit of the tenant, unless it is a repetition', async () => {
    const tenant = unique('full');
    const bodies = Array.from({ length: 31 }, () => ({ name: unique('s'), spec: idleSpec, action: probeAction() }));
    const [first, ...others] = bodies;
    await portico.post('/v1/schedules', first, { tenant });
    await Promise.all(others.slice(1).map((body) => portico.post('/v1/schedules', body, { tenant })));
    await until(
      async () => (await portico.get('/v1/schedules?limit=100', { tenant })).body.items,
      (items) => items.length === 30,
    );
    const refused = await portico.post('/v1/schedules', others[0], { tenant });
    expect(refused.body).toMatchObject({ status: 429, code: 'limit-reached' });
    expect((await portico.post('/v1/schedules', first, { tenant })).status).toBe(200);
  });
});

describe.concurrent('a preview', () => {
  const spec = { cron: ['30 2 * * *'], zone: 'Europe/Vienna' };

  it('shows the times of a spec before there is a schedule, about a change of the clock', async () => {
    const { body } = await portico.post('/v1/schedule-previews?count=2&after=2027-03-27T00:00:00Z', { spec });
    expect(body.items).toEqual([
      { at: '2027-03-27T01:30:00Z', local: '2027-03-27T02:30:00+01:00' },
      { at: '2027-03-29T00:30:00Z', local: '2027-03-29T02:30:00+02:00' },
    ]);
  });

  it('shows those of a schedule', async () => {
    const { path, created } = await createSchedule(portico, { spec });
    const { items } = (await portico.get(`${path}/preview?count=5`)).body;
    expect(items.map(({ at }: { at: string }) => at)).toEqual(created.body.next);
    expect((await portico.get(`${path}/preview`)).body.items).toHaveLength(20);
  });
});

describe.concurrent('a schedule', () => {
  it('of another tenant is like an absent one', async () => {
    const { path, body } = await createSchedule(portico);
    const foreign = { tenant: unique('other') };
    const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-02T00:00:00Z' };
    const requests = [
      portico.get(path, foreign),
      portico.get(`${path}/preview`, foreign),
      portico.put(path, replacementOf(body), { ...foreign, headers: { 'if-match': '*' } }),
      portico.request('DELETE', path, foreign),
      portico.post(`${path}/pause`, {}, foreign),
      portico.post(`${path}/resume`, {}, foreign),
      portico.post(`${path}/trigger`, undefined, { ...foreign, ...keyed('k') }),
      portico.post(`${path}/backfill`, range, foreign),
    ];
    for (const { body: problem } of await Promise.all(requests)) expect(problem).toMatchObject({ code: 'not-found' });
    expect((await portico.get('/v1/schedules', foreign)).body.items).toEqual([]);
    expect((await portico.get(path)).status).toBe(200);
  });

  it('is paused and resumed with a reason, and tells who did it', async () => {
    const { path, created } = await createSchedule(portico);
    const paused = await portico.post(`${path}/pause`, { reason: 'month end' }, { subject: 'olga' });
    expect(paused.body).toMatchObject({ state: 'paused', note: { reason: 'month end', by: 'olga' } });
    expect(paused.headers.get('etag')).not.toBe(created.headers.get('etag'));
    expect((await portico.post(`${path}/pause`, undefined)).body).toMatchObject({ note: { reason: 'month end' } });
    expect((await portico.post(`${path}/resume`, undefined)).body).toMatchObject({ state: 'active' });
  });

  it('is replaced by whoever has seen it as it is, and keeps its pause', async () => {
    const { path, body, created } = await createSchedule(portico);
    const seen = { headers: { 'if-match': created.headers.get('etag') ?? '' } };
    await portico.post(`${path}/pause`, { reason: 'wait' });
    const stale = await portico.put(path, replacementOf(body), seen);
    expect(stale.body).toMatchObject({ status: 412, code: 'precondition-failed' });
    const etag = (await portico.get(path)).headers.get('etag') ?? '';
    const asked = { ...replacementOf(body), overlap: 'buffer-all' };
    const replaced = await portico.put(path, asked, { subject: 'rita', headers: { 'if-match': etag } });
    expect(replaced).toMatchObject({
      status: 200,
      body: { overlap: 'buffer-all', state: 'paused', note: { reason: 'wait' }, replacedBy: { sub: 'rita' } },
    });
    expect((await portico.put(path, asked)).body).toMatchObject({ status: 400, errors: [{ parameter: 'If-Match' }] });
    expect((await portico.put(path, asked, { headers: { 'if-match': '*' } })).status).toBe(200);
  });

  it('that has the name of a deleted one is not replaced by whoever has seen that', async () => {
    const { path, body, created } = await createSchedule(portico);
    await portico.request('DELETE', path);
    await until(
      () => portico.get(path),
      ({ status }) => status === 404,
    );
    expect((await portico.post('/v1/schedules', body)).status).toBe(201);
    const seen = { headers: { 'if-match': created.headers.get('etag') ?? '' } };
    expect((await portico.put(path, replacementOf(body), seen)).body).toMatchObject({ code: 'precondition-failed' });
  });

  it('of two replacements at once one wins, and the other is told', async () => {
    const { path, body, created } = await createSchedule(portico);
    const headers = { 'if-match': created.headers.get('etag') ?? '' };
    const replies = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        portico.put(path, { ...replacementOf(body), catchUpSeconds: 100 + index }, { headers }),
      ),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412, 412, 412]);
    const winner = replies.findIndex(({ status }) => status === 200);
    expect((await portico.get(path)).body.catchUpSeconds).toBe(100 + winner);
  });

  it('is triggered once for a key, under that key, for whoever made it', async () => {
    const { name, path } = await createSchedule(portico, { action: probeAction({ mode: 'wait' }) });
    const trigger = (key: string) => portico.post(`${path}/trigger`, undefined, { subject: 'tom', ...keyed(key) });
    const replies = [await trigger('one'), await trigger('one'), await trigger('two')];
    expect(replies.map(({ status, body }) => [status, body.status])).toEqual([
      [202, 'created'],
      [202, 'joined'],
      [202, 'created'],
    ]);
    expect(replies[0]?.body.instance).toEqual({ process: 'probes', id: `${name}.one`, href: `/v1/probes/${name}.one` });
    expect((await trigger('no spaces')).body).toMatchObject({ code: 'invalid-key' });
    const permissions = ['schedules:trigger', 'schedules:read'];
    const forbidden = await portico.post(`${path}/trigger`, undefined, { permissions, ...keyed('three') });
    expect(forbidden.body).toMatchObject({ code: 'forbidden' });
  });

  it('fires for past times, once each and no more than allowed', async () => {
    const { name, path } = await createSchedule(portico, { spec: { cron: ['0 9 * * *'], zone: 'Europe/Vienna' } });
    const range = { from: '2026-10-24T00:00:00Z', to: '2026-10-26T12:00:00Z' };
    expect((await portico.post(`${path}/backfill`, range)).body).toMatchObject({ firings: 3 });
    const ids = ['2026-10-24T07:00:00Z', '2026-10-25T08:00:00Z', '2026-10-26T08:00:00Z'].map((at) => `${name}.${at}`);
    await until(
      () => Promise.all(ids.map((id) => portico.get(`/v1/probes/${id}`))),
      (replies) => replies.every(({ body }) => body.outcome === 'completed'),
    );
    const runs = async () => Promise.all(ids.map(async (id) => (await portico.get(`/v1/probes/${id}`)).body.runId));
    const before = await runs();
    expect((await portico.post(`${path}/backfill`, range)).status).toBe(202);
    expect(await runs()).toEqual(before);
    const wide = await portico.post(`${path}/backfill`, { ...range, from: '2026-10-20T00:00:00Z' });
    expect(wide.body).toMatchObject({ code: 'invalid-request', errors: [{ pointer: '/to' }] });
    const none = { from: '2026-10-24T08:00:00Z', to: '2026-10-24T09:00:00Z' };
    expect((await portico.post(`${path}/backfill`, none)).body).toMatchObject({ firings: 0 });
  });
});

it('lists the schedules of the tenant page by page', async () => {
  const tenant = unique('lister');
  const names = Array.from({ length: 3 }, () => unique('s'));
  for (const name of names) {
    await portico.post('/v1/schedules', { name, spec: idleSpec, action: probeAction() }, { tenant });
  }
  await until(
    async () => (await portico.get('/v1/schedules', { tenant })).body.items,
    (items) => items.length === 3,
  );
  const first = (await portico.get('/v1/schedules?limit=2', { tenant })).body;
  expect(first.items[0]).toMatchObject({ state: 'active', firings: [] });
  const second = (await portico.get(`/v1/schedules?limit=2&cursor=${first.cursor}`, { tenant })).body;
  const listed = [...first.items, ...second.items].map(({ name }: { name: string }) => name);
  expect(listed.sort()).toEqual([...names].sort());
  const foreign = await portico.get(`/v1/schedules?limit=2&cursor=${first.cursor}`, { tenant: unique('other') });
  expect(foreign.body).toMatchObject({ code: 'invalid-cursor' });
});
