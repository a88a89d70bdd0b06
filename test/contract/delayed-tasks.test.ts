import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { deliveryBodyOf, deliveryIdOf } from '../../src/catalog/delayed-tasks/delivery.ts';
import { aboveLimit, transferOf } from '../fixtures/transfers.ts';
import type { RequestOptions } from '../harness/caller.ts';
import { sumIn } from '../harness/metrics.ts';
import { type Portico, startApi, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';
import { startWebhookReceiver, type WebhookReceiver } from '../servers/webhook-receiver.ts';

let portico: Portico;
let receiver: WebhookReceiver;
/** Its tenants may have three open tasks. It has no workers. */
let small: Portico;

const local = {
  PORTICO_WEBHOOKS_SCHEMES: 'https,http',
  PORTICO_WEBHOOKS_PORTS: '1-65535',
  PORTICO_WEBHOOKS_ALLOW_CIDRS: '127.0.0.0/8',
};

beforeAll(async () => {
  [portico, small, receiver] = await Promise.all([
    startPortico({ environment: local }),
    startApi({
      temporalAddress: temporalAddress(),
      environment: { ...local, PORTICO_DELAYED_TASKS_MAX_OPEN: '3' },
    }),
    startWebhookReceiver(),
  ]);
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
});
afterAll(async () => {
  await Promise.all([portico.stop(), small.stop(), receiver.close()]);
});

const path = '/v1/delayed-tasks';
const keyed = (key: string, other: RequestOptions = {}): RequestOptions => ({
  ...other,
  headers: { 'idempotency-key': key, ...other.headers },
});
const webhookTo = (url: string) => ({ webhook: { url, timeout: 'PT5S' } });
const task = (other: object = {}) => ({ after: 'PT1H', deliver: webhookTo(receiver.url), payload: { n: 1 }, ...other });
const create = (body: object, key = unique('task'), other?: RequestOptions) =>
  portico.post(path, body, keyed(key, other));
const act = (id: string, action: string, body: object = {}, other?: RequestOptions) =>
  portico.post(`${path}/${id}/${action}`, body, keyed(unique('k'), other));
const ended = (id: string) =>
  until(
    () => portico.get(`${path}/${id}/result`, { headers: { prefer: 'wait=20' } }),
    ({ status }) => status === 200,
  );

describe('a webhook', () => {
  it('gets the task when it is due, under the id of the task', async () => {
    const { body, status } = await create(task({ after: 'PT1S' }));
    expect(status).toBe(202);
    expect(body).toMatchObject({ step: 'waiting', delivers: 'webhook' });
    expect(Date.parse(body.dueAt) - Date.parse(body.startedAt)).toBe(1_000);
    expect((await ended(body.id)).body).toMatchObject({
      outcome: 'delivered',
      result: { outcome: 'delivered', attempts: 1, status: 204 },
    });
    const named = { tenant: portico.tenant, key: body.id, generation: 1 };
    const [received, ...more] = receiver.received.filter((each) => each.headers['webhook-id'] === deliveryIdOf(named));
    expect(more).toEqual([]);
    expect(received?.body.toString()).toBe(deliveryBodyOf(named, { dueAt: body.dueAt, payload: { n: 1 } }));
    expect((await portico.get(`${path}/${body.id}/deliveries`)).body).toMatchObject({
      deliveryId: deliveryIdOf(named),
      total: 1,
      attempts: [{ number: 1, result: 'delivered', status: 204 }],
    });
  });

  it('is refused where it would reach what it may not', async () => {
    const { body, status } = await create(task({ deliver: webhookTo('http://169.254.169.254/') }));
    expect([status, body.code]).toEqual([422, 'target-not-allowed']);
  });

  it('to a queue is refused where there is no broker', async () => {
    const { body, status } = await create(task({ deliver: { queue: { name: 'orders' } } }));
    expect([status, body.code]).toEqual([422, 'not-configured']);
  });
});

describe('the time', () => {
  const dueAtOf = async (at: unknown) => (await create(task({ after: undefined, at }))).body;

  it('is resolved by the zone: a gap takes the later, an overlap the earlier', async () => {
    const zone = 'Europe/Vienna';
    expect((await dueAtOf({ local: '2028-03-26T02:30', zone })).dueAt).toBe('2028-03-26T01:30:00.000Z');
    expect((await dueAtOf({ local: '2028-10-29T02:30', zone })).dueAt).toBe('2028-10-29T00:30:00.000Z');
    expect((await dueAtOf({ local: '2028-07-01T12:00:30', zone })).dueAt).toBe('2028-07-01T10:00:30.000Z');
    expect((await dueAtOf('2028-07-01T12:00:00+02:00')).dueAt).toBe('2028-07-01T10:00:00.000Z');
  });

  it('that has passed is due at once', async () => {
    const started = await dueAtOf('2001-01-01T00:00:00Z');
    expect(started.dueAt).toBe(started.startedAt);
    await ended(started.id);
  });

  it.each([
    ['an unknown zone', { at: { local: '2028-07-01T12:00', zone: 'Europe/Atlantis' } }, '/at/zone'],
    ['a day that no calendar has', { at: { local: '2027-02-30T12:00', zone: 'Europe/Vienna' } }, '/at/local'],
    ['more than five years', { at: '2199-01-01T00:00:00Z' }, '/at'],
    ['two times', { at: '2028-07-01T12:00:00Z', after: 'PT1S' }, '/at'],
    ['none', {}, '/at'],
    ['months', { after: 'P1M' }, '/after'],
    ['an expiry before it', { after: 'PT1H', expiresAt: '2001-01-01T00:00:00Z' }, '/expiresAt'],
  ])('is refused: %s', async (_what, time, pointer) => {
    const { body, status } = await create({ deliver: webhookTo(receiver.url), ...time });
    expect([status, body.code]).toEqual([400, 'invalid-request']);
    expect(body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
  });

  it('and the payload have limits', async () => {
    const large = await create(task({ payload: 'x'.repeat(16_383) }));
    expect([large.status, large.body.code]).toEqual([400, 'invalid-request']);
    expect((await create(task({ payload: 'x'.repeat(16_382) }))).status).toBe(202);
  });
});

describe('an action', () => {
  it('reschedules, runs now, and is linked', async () => {
    const { body } = await create(task());
    expect(Object.keys(body.links)).toEqual(['self', 'result', 'reschedule', 'run-now', 'cancel']);
    const at = { local: '2028-07-01T12:00', zone: 'Europe/Vienna' };
    const later = await act(body.id, 'reschedule', { at });
    expect(later.body).toMatchObject({
      dueAt: '2028-07-01T10:00:00.000Z',
      output: { dueAt: '2028-07-01T10:00:00.000Z' },
    });
    expect((await act(body.id, 'reschedule', { after: 'PT2S', at })).status).toBe(400);
    const now = await act(body.id, 'run-now');
    expect(now.body.output).toEqual({ accepted: true });
    expect((await ended(body.id)).body.outcome).toBe('delivered');
    const late = await act(body.id, 'cancel');
    expect([late.status, late.body.code]).toEqual([409, 'too-late']);
  });

  it('repeated gets its first answer', async () => {
    const { body } = await create(task());
    const first = await portico.post(`${path}/${body.id}/reschedule`, { after: 'PT2H' }, keyed('r'));
    const again = await portico.post(`${path}/${body.id}/reschedule`, { after: 'PT2H' }, keyed('r'));
    expect(again.body.output).toEqual(first.body.output);
    await act(body.id, 'cancel');
    const late = await portico.post(`${path}/${body.id}/reschedule`, { after: 'PT2H' }, keyed('r'));
    expect(late.body.output).toEqual(first.body.output);
  });

  it('repeated gets its first answer also where its time has become too late for the task', async () => {
    const isoIn = (ms: number) => new Date(Date.now() + ms).toISOString();
    const { body } = await create(task({ after: undefined, at: isoIn(3_800), expiresAt: isoIn(4_000) }));
    const asked = { at: isoIn(3_500) };
    const first = await portico.post(`${path}/${body.id}/reschedule`, asked, keyed('r'));
    expect(first.status).toBe(202);
    await until(
      () => Date.now(),
      (now) => now > Date.parse(body.expiresAt),
    );
    const again = await portico.post(`${path}/${body.id}/reschedule`, asked, keyed('r'));
    expect(again.body.output).toEqual(first.body.output);
    const other = await portico.post(`${path}/${body.id}/reschedule`, { at: isoIn(1) }, keyed('r'));
    expect(other.body).toMatchObject({ code: 'idempotency-mismatch' });
    const fresh = await portico.post(`${path}/${body.id}/reschedule`, asked, keyed('s'));
    expect(fresh.body).toMatchObject({ code: 'invalid-request' });
  });

  it('may not let the task outlive its expiry', async () => {
    const { body } = await create(task({ expiresAt: new Date(Date.now() + 7_200_000).toISOString() }));
    const refused = await act(body.id, 'reschedule', { after: 'PT3H' });
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid-request']);
    await act(body.id, 'cancel');
  });

  it('of another tenant finds nothing', async () => {
    const { body } = await create(task());
    const other = { tenant: unique('other') };
    for (const action of ['reschedule', 'run-now', 'cancel', 'redeliver']) {
      const { status } = await act(body.id, action, action === 'reschedule' ? { after: 'PT1S' } : {}, other);
      expect(status).toBe(404);
    }
    expect((await portico.get(`${path}/${body.id}`, other)).status).toBe(404);
    expect((await portico.get(`${path}/${body.id}/deliveries`, other)).status).toBe(404);
    expect((await portico.get(path, other)).body.items).toEqual([]);
  });
});

describe('a start', () => {
  it('repeated joins, with its first time; another body is a mismatch', async () => {
    const key = unique('task');
    const first = await create(task(), key);
    const again = await create(task(), key);
    expect(again.headers.get('idempotency-status')).toBe('joined');
    expect(again.body).toMatchObject({ dueAt: first.body.dueAt, runId: first.body.runId });
    expect((await create(task({ payload: 2 }), key)).body.code).toBe('idempotency-mismatch');
    // What would be refused now was taken before.
    const expiring = task({ after: 'PT0S', expiresAt: new Date(Date.now() + 1_500).toISOString() });
    const taken = await create(expiring, unique('e'));
    await until(
      () => Date.now(),
      (now) => now > Date.parse(taken.body.expiresAt),
    );
    const repeated = await create(expiring, taken.body.id);
    expect(repeated.headers.get('idempotency-status')).toBe('replayed');
  });

  it('is refused where the tenant has as many as it may', async () => {
    const tenant = unique('tenant');
    const start = () => small.post(path, task(), keyed(unique('task'), { tenant }));
    const taken = [await start(), await start(), await start()];
    expect(taken.map(({ status }) => status)).toEqual([202, 202, 202]);
    const refused = await until(start, ({ status }) => status !== 202);
    expect([refused.status, refused.body.code]).toEqual([429, 'limit-reached']);
    expect((await small.post(path, task(), keyed(taken[0]?.body.id, { tenant }))).status).toBe(202);
  });

  it('takes no room where it is repeated, and a schedule of tasks takes none', async () => {
    const tenant = unique('tenant');
    const start = (key: string) => small.post(path, task(), keyed(key, { tenant }));
    const replies = [];
    for (const key of ['one', 'one', 'one', 'one', 'two']) replies.push(await start(key));
    const action = { process: 'delayed-tasks', input: task() };
    for (let count = 0; count < 3; count += 1) {
      const body = { name: unique('s'), spec: { cron: ['@yearly'] }, action };
      replies.push(await small.post('/v1/schedules', body, { tenant }));
    }
    replies.push(await start('three'));
    expect(replies.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202, 201, 201, 201, 202]);
  });
});

describe('the metrics', () => {
  const read = async (): Promise<string> => (await portico.admin('/metrics')).text;
  /** How much each of these has grown since `before`. */
  const grown = async (before: string, asked: readonly (readonly [string, Readonly<Record<string, string>>?])[]) => {
    const after = await read();
    return asked.map(([name, labels]) => sumIn(after, name, labels) - sumIn(before, name, labels));
  };
  const attempts = (labels: Readonly<Record<string, string>>) => ['portico_delivery_attempts_total', labels] as const;
  const lateness = (target: string) => ['portico_delayed_task_lateness_seconds_count', { target }] as const;
  const durations = (result: string) => ['portico_delivery_attempt_duration_seconds_count', { result }] as const;
  const once = { retry: { maxAttempts: 1 } };
  const reaches = (id: string, step: string) =>
    until(
      () => portico.get(`${path}/${id}`),
      ({ body }) => body.step === step,
    );

  it('count an attempt once, the lateness of a task at its first, and dead letters for as long as they wait', async () => {
    const answers = { status: 503 };
    const mended = await startWebhookReceiver({ answer: (_, response) => response.writeHead(answers.status).end() });
    onTestFinished(mended.close);
    const before = await read();
    const { body } = await create(task({ after: 'PT0S', deliver: webhookTo(mended.url), ...once }));
    await reaches(body.id, 'dead-letter');
    const facts = [
      attempts({ target: 'webhook', result: 'failed', reason: 'status' }),
      attempts({ target: 'webhook', result: 'delivered', reason: 'none' }),
      attempts({}),
      durations('failed'),
      durations('delivered'),
      lateness('webhook'),
      ['portico_delayed_task_dead_letters_total'],
    ] as const;
    expect(await grown(before, facts)).toEqual([1, 0, 1, 1, 0, 1, 1]);
    const [lateSeconds = 0] = await grown(before, [['portico_delayed_task_lateness_seconds_sum']]);
    expect(lateSeconds).toBeLessThan(30);

    await until(
      () => portico.get(`${path}?step=dead-letter`),
      ({ body: page }) => page.items.some(({ id }: { id: string }) => id === body.id),
    );
    // A process counts when it starts, and once a minute after that.
    const counting = await startApi({ temporalAddress: temporalAddress(), environment: local });
    onTestFinished(() => counting.stop().then(() => undefined));
    const waiting = { process: 'delayed-tasks', step: 'dead-letter' };
    await until(
      async () => sumIn((await counting.admin('/metrics')).text, 'portico_instances_waiting', waiting),
      (count) => count >= 1,
    );

    answers.status = 204;
    expect((await act(body.id, 'redeliver')).body.output).toEqual({ accepted: true });
    await ended(body.id);
    expect(await grown(before, facts)).toEqual([1, 1, 2, 1, 1, 1, 1]);
  });

  it('count endpoints that a 410 has disabled', async () => {
    const gone = await startWebhookReceiver({ answer: (_, response) => response.writeHead(410).end() });
    onTestFinished(gone.close);
    const endpoint = unique('endpoint');
    await portico.put(`/v1/endpoints/${endpoint}`, { url: gone.url });
    const before = await read();
    const to = { deliver: { webhook: { endpoint } }, after: 'PT0S', ...once };
    await reaches((await create(task(to))).body.id, 'dead-letter');
    // The endpoint is disabled already, and not once more.
    await reaches((await create(task(to))).body.id, 'dead-letter');
    const failed = (reason: string) => attempts({ result: 'failed', reason });
    expect(
      await grown(before, [['portico_endpoints_gone_total'], failed('gone'), failed('endpoint-disabled')]),
    ).toEqual([1, 1, 1]);
  });

  it('count starts of processes, and what they refuse, by the code of the problem', async () => {
    const { transferId, ...input } = transferOf(unique('transfer'), aboveLimit);
    await portico.post('/v1/transfers', transferOf(transferId));
    const before = await read();
    const startOf = (body: object) =>
      create({ after: 'PT0S', deliver: { process: { name: 'transfers', input: body } } });
    await ended((await startOf(input)).body.id);
    await ended((await startOf({ ...input, transferId })).body.id);
    expect(
      await grown(before, [
        attempts({ target: 'process', result: 'delivered', reason: 'none' }),
        attempts({ target: 'process', result: 'dead', reason: 'idempotency-mismatch' }),
        attempts({}),
        lateness('process'),
      ]),
    ).toEqual([1, 1, 2, 2]);
  });
});
