import { Connection } from '@temporalio/client';
import Long from 'long';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, type Portico, startPortico, unique } from '../harness/portico.ts';
import { temporalAddress } from '../servers/temporal.ts';

let portico: Portico;
let temporal: Connection;

beforeAll(async () => {
  [portico, temporal] = await Promise.all([
    startPortico({ environment: patience }),
    Connection.connect({ address: temporalAddress() }),
  ]);
  const account = { currency: 'EUR', openingBalance: { minor: '100000000' } };
  await Promise.all(['payer', 'payee', 'closed'].map((id) => portico.put(`/v1/accounts/${id}`, account)));
  await portico.post('/v1/accounts/closed/freeze', undefined);
});
afterAll(async () => {
  await portico.stop();
  await temporal.close();
});

// A thousand starts at once on a busy machine take longer than any caller should wait.
const patience = { PORTICO_START_DEADLINE: '25s', PORTICO_READ_DEADLINE: '25s' };

const transferOf = (transferId: string, other: object = {}) => ({
  transferId,
  from: 'payer',
  to: 'payee',
  amount: { currency: 'EUR', minor: '100' },
  ...other,
});
const big = { amount: { currency: 'EUR', minor: '2000000' } };

const workflowIdOf = (process: string, key: string) => `${portico.tenant}/${process}/${key}`;

/** Brings a probe or a transfer into a state and gives its first answer and how to repeat its start. */
type Arranged = { path: string; body: Record<string, unknown>; different: Record<string, unknown>; key: string };

const probe = (): Arranged => {
  const key = unique('probe');
  return { key, path: '/v1/probes', body: { probeId: key }, different: { probeId: key, color: 'red' } };
};
const transfer = (other: object = {}): Arranged => {
  const key = unique('transfer');
  return {
    key,
    path: '/v1/transfers',
    body: transferOf(key, other),
    different: transferOf(key, { ...other, reference: 'x' }),
  };
};

const states: [string, Arranged['path'], () => Promise<Arranged & { first: string }>, object][] = [
  ['running', 'probes', () => begun(probe()), { status: 'running' }],
  ['completed', 'transfers', () => begun(transfer(), 'prefer'), { status: 'closed', outcome: 'completed' }],
  [
    'compensated',
    'transfers',
    () => begun(transfer({ to: 'closed' }), 'prefer'),
    { status: 'closed', outcome: 'compensated' },
  ],
  ['cancelled', 'transfers', () => begun(transfer(big)).then(cancelled), { status: 'closed', outcome: 'cancelled' }],
  ['failed', 'probes', () => begun({ ...probe(), ...failing() }, 'prefer'), { status: 'closed', outcome: 'failed' }],
  ['terminated', 'probes', () => begun(probe()).then(terminated), { status: 'closed', outcome: 'terminated' }],
  ['continued as new', 'probes', () => begun(probe()).then(continued), { status: 'running' }],
  ['reset', 'probes', () => begun(probe()).then(reset), { status: 'running' }],
];

function failing() {
  const key = unique('probe');
  return { key, body: { probeId: key, mode: 'fail' }, different: { probeId: key, mode: 'finish' } };
}

async function begun(arranged: Arranged, wait?: 'prefer') {
  const started = await portico.post(arranged.path, arranged.body, { headers: wait ? { prefer: 'wait=20' } : {} });
  expect(started.headers.get('idempotency-status')).toBe('created');
  return { ...arranged, first: started.body.runId as string };
}

type Begun = Awaited<ReturnType<typeof begun>>;

async function cancelled(begun: Begun): Promise<Begun> {
  const path = `${begun.path}/${begun.key}`;
  await eventually(
    () => portico.get(path),
    ({ body }) => body.step === 'awaiting-approval',
  );
  const answer = await portico.post(`${path}/cancel`, {}, { headers: { prefer: 'wait=10' } });
  expect(answer.body.outcome).toBe('cancelled');
  return begun;
}

async function terminated(begun: Begun): Promise<Begun> {
  await temporal.workflowService.terminateWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: workflowIdOf('probes', begun.key) },
  });
  return begun;
}

async function continued(begun: Begun): Promise<Begun> {
  await portico.post(`/v1/probes/${begun.key}/renew`, {});
  await eventually(
    () => currentRunOf(begun.key),
    (runId) => runId !== begun.first,
  );
  return begun;
}

async function reset(begun: Begun): Promise<Begun> {
  await portico.post(`/v1/probes/${begun.key}/ping`, {});
  await temporal.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: workflowIdOf('probes', begun.key) },
    workflowTaskFinishEventId: Long.fromNumber(4),
    requestId: unique('reset'),
    reason: 'a test',
  });
  expect(await currentRunOf(begun.key)).not.toBe(begun.first);
  return begun;
}

const currentRunOf = async (key: string) => {
  const described = await temporal.workflowService.describeWorkflowExecution({
    namespace: 'default',
    execution: { workflowId: workflowIdOf('probes', key) },
  });
  return described.workflowExecutionInfo?.execution?.runId ?? '';
};

/** Requests to Temporal by method so far, as the metrics count them. */
async function requestCounts(): Promise<Record<string, number>> {
  const { text } = await portico.admin('/metrics');
  const counts: Record<string, number> = {};
  for (const [, method = '', count] of text.matchAll(
    /^portico_temporal_request_duration_seconds_count\{method="(\w+)",[^}]*\} (\d+)/gm,
  )) {
    counts[method] = (counts[method] ?? 0) + Number(count);
  }
  return counts;
}

async function requestsDuring(act: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = await requestCounts();
  await act();
  const after = await requestCounts();
  const watched = ['StartWorkflowExecution', 'DescribeWorkflowExecution'];
  return Object.fromEntries(watched.map((method) => [method, (after[method] ?? 0) - (before[method] ?? 0)]));
}

describe('a start', () => {
  it('of an unknown key creates an instance', async () => {
    const { path, body, key } = transfer();
    const reply = await portico.post(path, body);
    expect(reply.status).toBe(202);
    expect(reply.headers.get('idempotency-status')).toBe('created');
    expect(reply.headers.get('location')).toBe(`${path}/${key}`);
    expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(reply.body).toMatchObject({ id: key, status: 'running', step: 'opening', startedAt: expect.any(String) });
    expect(reply.body.links.self).toEqual({ href: `${path}/${key}`, method: 'GET' });
  });

  describe.each(states)('of an instance that is %s', (name, _process, arrange, expected) => {
    const isClosed = 'outcome' in expected;

    it('with the same payload finds it and runs nothing', async () => {
      const arranged = await arrange();
      const again = await portico.post(arranged.path, arranged.body);
      expect(again.status).toBe(isClosed ? 200 : 202);
      expect(again.headers.get('idempotency-status')).toBe(isClosed ? 'replayed' : 'joined');
      expect(again.body).toMatchObject({ id: arranged.key, runId: arranged.first, ...expected });
      expect(again.headers.get('location')).toBe(`${arranged.path}/${arranged.key}`);
      expect(again.headers.get('retry-after')).toBe(isClosed ? null : '1');
    });

    it('with another payload is refused', async () => {
      const arranged = await arrange();
      const other = await portico.post(arranged.path, arranged.different);
      expect(other.status).toBe(422);
      expect(other.body).toMatchObject({ code: 'idempotency-mismatch', retryable: false, effect: 'none' });
    });

    it('costs two requests to Temporal, and a mismatch one where the creator is known', async () => {
      const arranged = await arrange();
      const same = await requestsDuring(() => portico.post(arranged.path, arranged.body));
      expect(same).toEqual({ StartWorkflowExecution: 1, DescribeWorkflowExecution: 1 });
      const other = await requestsDuring(() => portico.post(arranged.path, arranged.different));
      const needsMemo = name === 'continued as new' || name === 'reset';
      expect(other['StartWorkflowExecution']).toBe(1);
      if (!needsMemo) expect(other['DescribeWorkflowExecution']).toBe(0);
      if (name === 'continued as new') expect(other['DescribeWorkflowExecution']).toBe(1);
    });
  });

  it('costs one request to Temporal when it is fresh', async () => {
    const { path, body } = probe();
    expect(await requestsDuring(() => portico.post(path, body))).toEqual({
      StartWorkflowExecution: 1,
      DescribeWorkflowExecution: 0,
    });
  });

  it('does not look at the order of fields or at spelled-out defaults differently than they were sent', async () => {
    const { path, key } = probe();
    await portico.post(path, `{"probeId":"${key}","color":"red"}`);
    const reordered = await portico.post(path, `{ "color": "red", "probeId": "${key}" }`);
    expect(reordered.headers.get('idempotency-status')).toBe('joined');
    expect((await portico.post(path, { probeId: key, color: 'red', mode: 'wait' })).status).toBe(422);
  });

  it('of the same key by another tenant is another instance', async () => {
    const { path, body } = probe();
    const [mine, theirs] = [
      await portico.post(path, body),
      await portico.post(path, body, { tenant: unique('other') }),
    ];
    expect(mine.headers.get('idempotency-status')).toBe('created');
    expect(theirs.headers.get('idempotency-status')).toBe('created');
    expect(theirs.body.runId).not.toBe(mine.body.runId);
  });

  it('by another subject of the tenant joins', async () => {
    const { path, body } = probe();
    await portico.post(path, body, { subject: 'relay-1' });
    const second = await portico.post(path, body, { subject: 'relay-2' });
    expect(second.headers.get('idempotency-status')).toBe('joined');
  });

  it('a thousand times at once is one instance', async () => {
    const { path, body, key } = transfer();
    const replies = await Promise.all(Array.from({ length: 1_000 }, () => portico.post(path, body)));
    const statuses = replies.map(({ headers }) => headers.get('idempotency-status'));
    expect(statuses.filter((status) => status === 'created')).toHaveLength(1);
    expect(statuses.filter((status) => !['created', 'joined', 'replayed'].includes(status ?? ''))).toEqual([]);
    expect(new Set(replies.map(({ body: { id } }) => id))).toEqual(new Set([key]));
    expect(new Set(replies.map(({ body: { runId } }) => runId)).size).toBe(1);
  }, 60_000);
});

describe('waiting by preference', () => {
  it('answers 200 with the result once the instance has ended', async () => {
    const { path, body, key } = transfer();
    const reply = await portico.post(path, body, { headers: { prefer: 'wait=20' } });
    expect(reply.status).toBe(200);
    expect(reply.headers.get('idempotency-status')).toBe('created');
    expect(reply.headers.get('preference-applied')).toBe('wait=20');
    expect(reply.body).toMatchObject({
      status: 'closed',
      outcome: 'completed',
      result: { transferId: key, outcome: 'completed' },
    });
  });

  it('answers 202 when the time is up', async () => {
    const { path, body } = probe();
    const startedAtMs = performance.now();
    const reply = await portico.post(path, body, { headers: { prefer: 'wait=1' } });
    expect(reply.status).toBe(202);
    expect(reply.body.status).toBe('running');
    expect(performance.now() - startedAtMs).toBeGreaterThan(950);
  });

  it('shows the outcome but no result to those who may start and not read', async () => {
    const { path, body } = transfer();
    const reply = await portico.post(path, body, { permissions: ['transfers:start'], headers: { prefer: 'wait=20' } });
    expect(reply.body).toMatchObject({ status: 'closed', outcome: 'completed', links: {} });
    expect(reply.body.result).toBeUndefined();
  });

  it('also holds for the result and for a repeated start', async () => {
    const { path, body, key } = transfer();
    await portico.post(path, body);
    const result = await portico.get(`${path}/${key}/result`, { headers: { prefer: 'wait=20' } });
    expect(result.status).toBe(200);
    expect(result.body.result.outcome).toBe('completed');
    const again = await portico.post(path, body, { headers: { prefer: 'wait=20' } });
    expect(again.body.result.outcome).toBe('completed');
    expect(again.headers.get('idempotency-status')).toBe('replayed');
  });
});

describe('the key', () => {
  it('comes from the body or from the header, and the other is refused', async () => {
    const { path, body } = probe();
    const both = await portico.post(path, body, { headers: { 'idempotency-key': 'k' } });
    expect(both.status).toBe(400);
    expect(both.body).toMatchObject({ code: 'invalid-key', detail: expect.stringContaining('probeId') });
    const none = await portico.post('/v1/parcels', { probeId: 'x' });
    expect(none.body).toMatchObject({ code: 'invalid-key', detail: expect.stringContaining('Idempotency-Key') });
  });

  it('in the header may be free text, quoted or bare, where the definition hashes it', async () => {
    const key = unique('Order #7 of ann@example.com').replaceAll(' ', '_');
    const body = { probeId: 'x', mode: 'finish' };
    const bare = await portico.post('/v1/parcels', body, { headers: { 'idempotency-key': key } });
    const quoted = await portico.post('/v1/parcels', body, { headers: { 'idempotency-key': `"${key}"` } });
    expect(bare.headers.get('idempotency-status')).toBe('created');
    expect(quoted.body).toMatchObject({ id: bare.body.id, runId: bare.body.runId });
    expect(bare.body.id).not.toContain('ann');
    expect((await portico.get(`/v1/parcels/${bare.body.id}`)).status).toBe(200);
  });
});
