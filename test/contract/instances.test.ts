import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitingTransfer, withKey } from '../fixtures/transfers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let portico: Portico;
let operator: TemporalOperator;

beforeAll(async () => {
  [portico, operator] = await Promise.all([startPortico(), connectOperator(temporalAddress())]);
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
});
afterAll(() => Promise.all([portico.stop(), operator.close()]));

async function startedProbe(given: object = {}, options: object = {}): Promise<string> {
  const key = unique('probe');
  const reply = await portico.post('/v1/probes', { probeId: key, ...given }, options);
  expect(reply.headers.get('idempotency-status')).toBe('created');
  return key;
}

describe('an instance', () => {
  it('shows step, times and the links its reader may follow', async () => {
    const id = await waitingTransfer(portico);
    const seen = await portico.get(`/v1/transfers/${id}`, { permissions: ['transfers:read', 'transfers:approve'] });
    expect(seen.status).toBe(200);
    expect(seen.body).toMatchObject({ id, status: 'running', step: 'awaiting-approval' });
    expect(Object.keys(seen.body.links).sort()).toEqual(['approve', 'reject', 'result', 'self']);
    const other = await portico.get(`/v1/transfers/${id}`, { permissions: ['transfers:read', 'transfers:cancel'] });
    expect(Object.keys(other.body.links).sort()).toEqual(['cancel', 'result', 'self']);
  });

  it('says nothing of Temporal', async () => {
    const id = await waitingTransfer(portico);
    const answers = await Promise.all([
      portico.get(`/v1/transfers/${id}`),
      portico.get(`/v1/transfers/${id}/result`),
      portico.get('/v1/transfers'),
      portico.get('/v1/transfers/unknown'),
      portico.post(`/v1/transfers/${id}/resolve`, { how: 'retry' }, withKey()),
    ]);
    for (const { body } of answers)
      expect(JSON.stringify(body)).not.toMatch(/temporal|workflow|task.?queue|namespace/i);
  });

  it('has no result while it runs, and a typed one afterwards', async () => {
    const id = await waitingTransfer(portico);
    const early = await portico.get(`/v1/transfers/${id}/result`);
    expect(early.status).toBe(202);
    expect(early.headers.get('retry-after')).toBe('1');
    await portico.post(`/v1/transfers/${id}/approve`, {}, { subject: 'bob', headers: { prefer: 'wait=20' } });
    const late = await portico.get(`/v1/transfers/${id}/result`);
    expect(late.status).toBe(200);
    expect(late.body.result).toEqual({
      outcome: 'completed',
      transferId: id,
      amount: { currency: 'EUR', minor: '2000000' },
    });
  });

  it('that failed is an answer and not an error', async () => {
    const id = unique('probe');
    await portico.post('/v1/probes', { probeId: id, mode: 'fail' }, { headers: { prefer: 'wait=20' } });
    const result = await portico.get(`/v1/probes/${id}/result`);
    expect(result.status).toBe(200);
    expect(result.body).toMatchObject({ status: 'closed', outcome: 'failed' });
    expect(result.body.result).toBeUndefined();
  });

  it('of another tenant looks exactly like one that does not exist', async () => {
    const id = await waitingTransfer(portico);
    const other = { tenant: unique('other') };
    const absent = unique('absent');
    const requests = (key: string) => [
      portico.get(`/v1/transfers/${key}`, other),
      portico.get(`/v1/transfers/${key}/result`, other),
      portico.post(`/v1/transfers/${key}/approve`, {}, other),
      portico.post(`/v1/transfers/${key}/cancel`, {}, other),
    ];
    const [foreign, missing] = [await Promise.all(requests(id)), await Promise.all(requests(absent))];
    expect(foreign.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
    const shown = (replies: typeof foreign, key: string) =>
      replies.map(({ body }) => JSON.stringify(body).replaceAll(key, '*'));
    expect(shown(foreign, id)).toEqual(shown(missing, absent));
    expect((await portico.get('/v1/transfers', other)).body.items).toEqual([]);
  });
});

describe('an action', () => {
  it('is applied once for its key, and answers a repetition alike', async () => {
    const id = await startedProbe();
    const key = { headers: { 'idempotency-key': 'first-ping' } };
    const replies = await Promise.all(Array.from({ length: 8 }, () => portico.post(`/v1/probes/${id}/ping`, {}, key)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]));
    await portico.post(`/v1/probes/${id}/ping`, {}, { headers: { 'idempotency-key': 'second-ping' } });
    expect((await portico.get(`/v1/probes/${id}/progress`)).body.pings).toBe(2);
  });

  it('without a key is applied once for each body and subject', async () => {
    const id = await startedProbe();
    const ping = (body: object, subject: string) => portico.post(`/v1/probes/${id}/ping`, body, { subject });
    await ping({}, 'alice');
    await ping({}, 'alice');
    await ping({ note: 'again' }, 'alice');
    await ping({}, 'bob');
    expect((await portico.get(`/v1/probes/${id}/progress`)).body.pings).toBe(3);
  });

  it('with a used key and another body or subject is a mismatch', async () => {
    const id = await startedProbe();
    const headers = { 'idempotency-key': 'k' };
    await portico.post(`/v1/probes/${id}/ping`, {}, { headers });
    const otherBody = await portico.post(`/v1/probes/${id}/ping`, { note: 'x' }, { headers });
    const otherSubject = await portico.post(`/v1/probes/${id}/ping`, {}, { headers, subject: 'bob' });
    expect([otherBody.body.code, otherSubject.body.code]).toEqual(['idempotency-mismatch', 'idempotency-mismatch']);
    expect((await portico.get(`/v1/probes/${id}/progress`)).body.pings).toBe(1);
  });

  it('never answers for another action with the same key', async () => {
    const id = await startedProbe();
    const headers = { 'idempotency-key': 'k', prefer: 'wait=10' };
    await portico.post(`/v1/probes/${id}/ping`, {}, { headers: { 'idempotency-key': 'k' } });
    const finished = await portico.post(`/v1/probes/${id}/finish`, {}, { headers });
    expect(finished.body).toMatchObject({ status: 'closed', outcome: 'completed', result: { pings: 1 } });
  });

  it('repeated after the end is answered like the first time, a new one comes too late', async () => {
    const id = await startedProbe();
    const headers = { 'idempotency-key': 'end', prefer: 'wait=10' };
    await portico.post(`/v1/probes/${id}/finish`, {}, { headers });
    const again = await portico.post(`/v1/probes/${id}/finish`, {}, { headers });
    expect(again.status).toBe(200);
    const late = await portico.post(`/v1/probes/${id}/ping`, {});
    expect(late.status).toBe(409);
    expect(late.body).toMatchObject({ code: 'too-late', retryable: false, effect: 'none' });
  });

  it('is applied once also when the instance went on in a new run in between', async () => {
    const id = await startedProbe();
    const headers = { 'idempotency-key': 'k' };
    await portico.post(`/v1/probes/${id}/ping`, {}, { headers });
    await portico.post(`/v1/probes/${id}/renew`, {});
    const again = await until(
      () => portico.post(`/v1/probes/${id}/ping`, {}, { headers }),
      ({ status }) => status === 202,
    );
    expect(again.status).toBe(202);
    expect((await portico.get(`/v1/probes/${id}/progress`)).body.pings).toBe(1);
  });

  it('that the step does not allow is a conflict', async () => {
    const id = await waitingTransfer(portico);
    const reply = await portico.post(`/v1/transfers/${id}/resolve`, { how: 'retry' }, withKey());
    expect(reply.status).toBe(409);
    expect(reply.body.code).toBe('action-not-allowed');
  });

  it('of a second person is refused to the one who started, and to the one on whose behalf', async () => {
    const id = await waitingTransfer(portico, { requestedBy: 'carol' });
    const own = await portico.post(`/v1/transfers/${id}/approve`, {}, { subject: 'alice' });
    expect(own.status).toBe(403);
    expect(own.body.code).toBe('second-person-required');
    expect((await portico.post(`/v1/transfers/${id}/approve`, {}, { subject: 'carol' })).status).toBe(403);
    const approved = await portico.post(
      `/v1/transfers/${id}/approve`,
      {},
      { subject: 'bob', headers: { prefer: 'wait=20' } },
    );
    expect(approved.body.outcome).toBe('completed');
  });
});

describe('a list', () => {
  it('shows what runs, the last started first, then what has closed, the last closed first', async () => {
    const tenant = unique('order');
    const [a, b, c, d] = [
      await startedProbe({}, { tenant }),
      await startedProbe({}, { tenant }),
      await startedProbe({}, { tenant }),
      await startedProbe({}, { tenant }),
    ];
    const list = async (query = ''): Promise<{ items: { id: string; status: string }[]; cursor?: string }> =>
      (await portico.get(`/v1/probes?${query}`, { tenant })).body;
    const finish = async (id: string) => {
      await portico.post(`/v1/probes/${id}/finish`, {}, { tenant, headers: { prefer: 'wait=20' } });
      await until(
        () => list('status=closed'),
        ({ items }) => items.some((item) => item.id === id),
      );
    };
    await until(list, ({ items }) => items.length === 4);
    await finish(c);
    await finish(a);
    expect((await list()).items.map(({ id }) => id)).toEqual([d, b, a, c]);

    // One that closes between two pages is on both.
    const first = await list('limit=1');
    expect(first.items).toMatchObject([{ id: d, status: 'running' }]);
    await finish(d);
    const second = await list(`limit=1&cursor=${first.cursor}`);
    const third = await list(`limit=1&cursor=${second.cursor}`);
    expect([second.items, third.items]).toMatchObject([[{ id: b }], [{ id: d, status: 'closed' }]]);
  });

  const ids = ({ body }: { body: { items: { id: string }[] } }) => body.items.map(({ id }) => id);

  it('filters by status, step, outcome, label and time', async () => {
    const tenant = unique('lists');
    const before = new Date().toISOString();
    const [running, pinged, finished, dropped] = [
      await startedProbe({ color: 'red' }, { tenant }),
      await startedProbe({ color: 'red' }, { tenant }),
      await startedProbe({ color: 'blue', mode: 'finish' }, { tenant }),
      await startedProbe({}, { tenant }),
    ];
    const after = new Date(Date.now() + 1).toISOString();
    await portico.post(`/v1/probes/${pinged}/ping`, {}, { tenant });
    await portico.post(`/v1/probes/${dropped}/drop`, {}, { tenant, headers: { prefer: 'wait=10' } });
    const list = async (query: string) => ids(await portico.get(`/v1/probes?${query}`, { tenant })).sort();
    const sorted = (...keys: string[]) => [...keys].sort();
    await until(
      () => list('outcome=dropped'),
      (found) => found.length === 1,
    );
    await until(
      () => list('step=pinged'),
      (found) => found.length === 1,
    );
    expect(await list('')).toEqual(sorted(running, pinged, finished, dropped));
    expect(await list('status=running')).toEqual(sorted(running, pinged));
    expect(await list('status=closed')).toEqual(sorted(finished, dropped));
    expect(await list('step=waiting')).toEqual([running]);
    expect(await list('step=pinged')).toEqual([pinged]);
    expect(await list('outcome=completed')).toEqual([finished]);
    expect(await list('outcome=dropped')).toEqual([dropped]);
    expect(await list('outcome=terminated')).toEqual([]);
    expect(await list('color=red')).toEqual(sorted(running, pinged));
    expect(await list('color=red&step=pinged')).toEqual([pinged]);
    expect(await list(`startedAfter=${before}&startedBefore=${after}`)).toHaveLength(4);
    expect(await list(`startedAfter=${after}`)).toEqual([]);
    expect(await list(`startedBefore=${before}`)).toEqual([]);
  });

  it('goes on by a cursor that is good for this tenant and these filters alone', async () => {
    const tenant = unique('pages');
    const started = await Promise.all(Array.from({ length: 5 }, () => startedProbe({ color: 'red' }, { tenant })));
    await until(
      () => portico.get('/v1/probes?color=red', { tenant }),
      ({ body }) => body.items.length === 5,
    );
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const suffix: string = cursor === undefined ? '' : `&cursor=${cursor}`;
      const page = await portico.get(`/v1/probes?color=red&limit=2${suffix}`, { tenant });
      expect(page.body.items.length).toBeLessThanOrEqual(2);
      found.push(...ids(page));
      cursor = page.body.cursor;
    } while (cursor !== undefined);
    expect(found.sort()).toEqual(started.sort());

    const { body } = await portico.get('/v1/probes?color=red&limit=2', { tenant });
    const refused = await Promise.all([
      portico.get(`/v1/probes?color=red&limit=2&cursor=${body.cursor}`, { tenant: unique('other') }),
      portico.get(`/v1/probes?color=blue&limit=2&cursor=${body.cursor}`, { tenant }),
      portico.get(`/v1/probes?color=red&limit=2&cursor=${body.cursor.slice(0, -3)}`, { tenant }),
      portico.get('/v1/probes?cursor=AAAA.BBBB', { tenant }),
    ]);
    expect(refused.map(({ status, body: problem }) => [status, problem.code])).toEqual(
      refused.map(() => [400, 'invalid-cursor']),
    );
  });

  it('shows an instance once on a page, although it went on in a new run or was reset', async () => {
    const tenant = unique('once');
    const id = await startedProbe({}, { tenant });
    await portico.post(`/v1/probes/${id}/renew`, {}, { tenant });
    await until(
      () => portico.post(`/v1/probes/${id}/ping`, {}, { tenant }),
      ({ status }) => status === 202,
    );
    await operator.reset(`${tenant}/probes/${id}`);
    await until(
      () => portico.get('/v1/probes', { tenant }),
      ({ body }) => body.items.length === 1 && body.items[0].status === 'running',
    );
    // The run that the reset left behind is a closed item of its own. The instance itself is exact.
    const leftBehind = async () => (await portico.get('/v1/probes?status=closed', { tenant })).body.items;
    await expect.poll(leftBehind).toMatchObject([{ id, outcome: 'terminated' }]);
    expect((await portico.get(`/v1/probes/${id}`, { tenant })).body).toMatchObject({ id, status: 'running' });
  });

  it('shows an instance that was reset after it had ended once on a page, and on each page that has a run', async () => {
    const tenant = unique('again');
    const id = await startedProbe({ mode: 'finish' }, { tenant, headers: { prefer: 'wait=20' } });
    await operator.reset(`${tenant}/probes/${id}`);
    const completedRuns = () =>
      operator.connection.workflowService.countWorkflowExecutions({
        namespace: 'default',
        query: `PorticoTenant = '${tenant}' AND ExecutionStatus = 'Completed'`,
      });
    await until(completedRuns, ({ count }) => count.toNumber() === 2);
    expect(ids(await portico.get('/v1/probes', { tenant }))).toEqual([id]);
    const first = await portico.get('/v1/probes?limit=1', { tenant });
    const second = await portico.get(`/v1/probes?limit=1&cursor=${first.body.cursor}`, { tenant });
    expect([...ids(first), ...ids(second)]).toEqual([id, id]);
    const { closedAt } = (await portico.get(`/v1/probes/${id}`, { tenant })).body;
    expect([first, second].map(({ body }) => body.items[0].closedAt === closedAt)).toEqual([true, false]);
  });

  it.each([
    'status=open',
    'step=nowhere',
    'outcome=won',
    'limit=0',
    'limit=101',
    'limit=ten',
    'startedAfter=yesterday',
    'startedAfter=9999-12-31T23:59:59-23:59',
    "color=red'%20OR%20''='",
    'query=x',
    'color=red&color=blue',
  ])('refuses %s', async (query) => {
    const reply = await portico.get(`/v1/probes?${query}`);
    expect(reply.status).toBe(400);
    expect(['invalid-request', 'malformed-request']).toContain(reply.body.code);
  });
});

describe('which code runs a new start', () => {
  it('is decided by the service: old and new instances answer alike and side by side', async () => {
    const early = { tenant: 'early-adopter' };
    const [first, byTenant, byField] = [
      await startedProbe(),
      await startedProbe({}, early),
      await startedProbe({ color: 'green' }),
    ];
    const by = async (id: string, options = {}) => (await portico.get(`/v1/probes/${id}/progress`, options)).body.by;
    expect([await by(first), await by(byTenant, early), await by(byField)]).toEqual(['first', 'second', 'second']);
    for (const [id, options] of [
      [first, {}],
      [byTenant, early],
      [byField, {}],
    ] as const) {
      const joined = await portico.post(
        '/v1/probes',
        { probeId: id, ...(id === byField ? { color: 'green' } : {}) },
        options,
      );
      expect(joined.headers.get('idempotency-status')).toBe('joined');
      const ended = await portico.post(`/v1/probes/${id}/finish`, {}, { ...options, headers: { prefer: 'wait=10' } });
      expect(ended.body).toMatchObject({ status: 'closed', outcome: 'completed' });
    }
  });
});
