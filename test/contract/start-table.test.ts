import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aboveLimit, closed, transferOf } from '../fixtures/transfers.ts';
import type { Reply } from '../harness/caller.ts';
import { inParallel, measuredWidth } from '../harness/in-parallel.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { temporalRequests } from '../harness/temporal-requests.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let portico: Portico;
let operator: TemporalOperator;

beforeAll(async () => {
  [portico, operator] = await Promise.all([startPortico(), connectOperator(temporalAddress())]);
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee', 'frozen');
  await portico.post('/v1/accounts/frozen/freeze', undefined);
});
afterAll(async () => {
  await portico.stop();
  await operator.close();
});

/** A start, and another one of the same key. */
interface Start {
  readonly path: '/v1/probes' | '/v1/transfers';
  readonly key: string;
  readonly body: object;
  readonly different: object;
}

function probe(other: object = {}): Start {
  const key = unique('probe');
  const body = { probeId: key, ...other };
  return { path: '/v1/probes', key, body, different: { ...body, color: 'red' } };
}

function transfer(other: Parameters<typeof transferOf>[1] = {}): Start {
  const key = unique('transfer');
  const body = transferOf(key, other);
  return { path: '/v1/transfers', key, body, different: { ...body, reference: 'x' } };
}

/** An instance that was started; `first` is its first run. */
interface Instance {
  readonly path: string;
  readonly workflowId: string;
  readonly first: string;
}

const ends = ({ path }: Instance) => closed(portico, path);
const isTerminated = ({ workflowId }: Instance) => operator.terminate(workflowId);

async function isCancelled({ path }: Instance): Promise<void> {
  await until(
    () => portico.get(path),
    ({ body }) => body.step === 'awaiting-approval',
  );
  await portico.post(`${path}/cancel`, {});
  await closed(portico, path);
}

async function continuesAsNew({ path, workflowId, first }: Instance): Promise<void> {
  await portico.post(`${path}/renew`, {});
  await until(
    () => operator.currentRun(workflowId),
    (runId) => runId !== first,
  );
}

async function isReset({ path, workflowId, first }: Instance): Promise<void> {
  await portico.post(`${path}/ping`, {});
  expect(await operator.reset(workflowId)).not.toBe(first);
}

const running = { status: 'running' };
const closedAs = (outcome: string) => ({ status: 'closed', outcome });

/** Every state in which a start can find its instance: what was started, what became of it, and how it shows. */
const states: readonly {
  readonly state: string;
  readonly start: () => Start;
  readonly then?: (instance: Instance) => Promise<unknown>;
  readonly shows: object;
  /** How many reads a start with another payload costs; none where the first run is the current one. */
  readonly readsOfMismatch?: readonly number[];
}[] = [
  { state: 'running', start: probe, shows: running },
  { state: 'completed', start: transfer, then: ends, shows: closedAs('completed') },
  { state: 'compensated', start: () => transfer({ to: 'frozen' }), then: ends, shows: closedAs('compensated') },
  { state: 'cancelled', start: () => transfer(aboveLimit), then: isCancelled, shows: closedAs('cancelled') },
  { state: 'failed', start: () => probe({ mode: 'fail' }), then: ends, shows: closedAs('failed') },
  { state: 'terminated', start: probe, then: isTerminated, shows: closedAs('terminated') },
  { state: 'continued as new', start: probe, then: continuesAsNew, shows: running, readsOfMismatch: [1] },
  { state: 'reset', start: probe, then: isReset, shows: running, readsOfMismatch: [0, 1] },
];

/** Starts it, and brings the instance into its state. */
async function arrange({ start, then }: (typeof states)[number]): Promise<Start & { readonly first: string }> {
  const begun = start();
  const { headers, body } = await portico.post(begun.path, begun.body);
  expect(headers.get('idempotency-status')).toBe('created');
  const first = body.runId as string;
  const workflowId = `${portico.tenant}${begun.path.replace('/v1', '')}/${begun.key}`;
  await then?.({ path: `${begun.path}/${begun.key}`, workflowId, first });
  return { ...begun, first };
}

/** How many starts and reads of an instance Temporal was asked for meanwhile. */
async function requestsDuring(act: () => Promise<unknown>): Promise<{ starts: number; reads: number }> {
  const before = await temporalRequests(portico.adminUrl);
  await act();
  const after = await temporalRequests(portico.adminUrl);
  const more = (method: string) => (after[method] ?? 0) - (before[method] ?? 0);
  return { starts: more('StartWorkflowExecution'), reads: more('DescribeWorkflowExecution') };
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

  describe.each(states)('of an instance that is $state', (row) => {
    const isClosed = 'outcome' in row.shows;

    it('with the same payload finds it and runs nothing', async () => {
      const { path, key, body, first } = await arrange(row);
      const again = await portico.post(path, body);
      expect(again.status).toBe(isClosed ? 200 : 202);
      expect(again.headers.get('idempotency-status')).toBe(isClosed ? 'replayed' : 'joined');
      expect(again.body).toMatchObject({ id: key, runId: first, ...row.shows });
      expect(again.headers.get('location')).toBe(`${path}/${key}`);
      expect(again.headers.get('retry-after')).toBe(isClosed ? null : '1');
    });

    it('with another payload is refused', async () => {
      const { path, different } = await arrange(row);
      const other = await portico.post(path, different);
      expect(other.status).toBe(422);
      expect(other.body).toMatchObject({ code: 'idempotency-mismatch', retryable: false, effect: 'none' });
    });

    it('costs one request to Temporal, and so does a mismatch where the creator is known', async () => {
      const { path, body, different } = await arrange(row);
      expect(await requestsDuring(() => portico.post(path, body))).toEqual({ starts: 0, reads: 1 });
      const mismatch = await requestsDuring(() => portico.post(path, different));
      expect(mismatch.starts).toBe(1);
      expect(row.readsOfMismatch ?? [0]).toContain(mismatch.reads);
    });
  });

  it('costs one request to Temporal when it is fresh', async () => {
    const { path, body } = probe();
    expect(await requestsDuring(() => portico.post(path, body))).toEqual({ starts: 1, reads: 0 });
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

  it('a thousand times, as many at once as this machine can send, is one instance', async () => {
    const another = transfer();
    // One address may hold 500 connections.
    const width = await measuredWidth(() => portico.post(another.path, another.body), { most: 450 });
    const { path, body, key } = transfer();
    // More at once than the service takes are told to come again, which changes nothing.
    const isDecided = ({ status, body: { code } }: Reply) => status !== 503 || code !== 'overloaded';
    const send = () => until(() => portico.post(path, body), isDecided);
    const replies = await inParallel(width, Array.from({ length: 1_000 }), send);
    console.info(`a thousand starts, ${width} at once`);
    const statuses = replies.map(({ headers }) => headers.get('idempotency-status'));
    expect(statuses.filter((status) => status === 'created')).toHaveLength(1);
    expect(statuses.filter((status) => !['created', 'joined', 'replayed'].includes(status ?? ''))).toEqual([]);
    expect(new Set(replies.map(({ body: { id } }) => id))).toEqual(new Set([key]));
    expect(new Set(replies.map(({ body: { runId } }) => runId)).size).toBe(1);
  });
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
    const again = await portico.post(path, body, { permissions: ['transfers:start'] });
    expect([again.status, again.headers.get('idempotency-status')]).toEqual([200, 'replayed']);
    expect(again.body).toMatchObject({ status: 'closed', outcome: 'completed', links: {} });
    expect(again.body.result).toBeUndefined();
    const read = await portico.post(path, body, { permissions: ['transfers:start', 'transfers:read'] });
    expect(read.body.result).toMatchObject({ outcome: 'completed' });
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
  it('comes from the body or from the header; a header beside the body must equal it', async () => {
    const { path, body, key } = probe();
    const other = await portico.post(path, body, { headers: { 'idempotency-key': 'k' } });
    expect(other.status).toBe(400);
    expect(other.body).toMatchObject({ code: 'invalid-key', detail: expect.stringContaining('probeId') });
    expect((await portico.get(`${path}/${key}`)).status).toBe(404);
    const malformed = await portico.post(path, body, { headers: { 'idempotency-key': 'not a key' } });
    expect(malformed.status).toBe(400);
    expect(malformed.body).toMatchObject({ code: 'invalid-key', detail: expect.stringContaining('Idempotency-Key') });
    const equal = await portico.post(path, body, { headers: { 'idempotency-key': `"${key}"` } });
    expect(equal.headers.get('idempotency-status')).toBe('created');
    const without = await portico.post(path, body);
    expect(without.body).toMatchObject({ id: key, runId: equal.body.runId });
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
