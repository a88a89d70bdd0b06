import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliveryIdOf } from '../../src/catalog/delayed-tasks/delivery.ts';
import { allotmentsV1 } from '../fixtures/allotments.ts';
import { aboveLimit, transferOf } from '../fixtures/transfers.ts';
import type { RequestOptions } from '../harness/caller.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';

let portico: Portico;
beforeAll(async () => {
  portico = await startPortico({ definitions: [allotmentsV1] });
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
});
afterAll(() => portico.stop());

const path = '/v1/delayed-tasks';
const keyed = (key: string, other: RequestOptions = {}): RequestOptions => ({
  ...other,
  headers: { 'idempotency-key': key, ...other.headers },
});
const create = (body: object, key = unique('task'), other?: RequestOptions) =>
  portico.post(path, body, keyed(key, other));
const act = (id: string, action: string, body: object = {}, other?: RequestOptions) =>
  portico.post(`${path}/${id}/${action}`, body, keyed(unique('k'), other));
const ended = (id: string) =>
  until(
    () => portico.get(`${path}/${id}/result`, { headers: { prefer: 'wait=20' } }),
    ({ status }) => status === 200,
  );

describe('a process that a task starts', () => {
  /** A transfer above the limit, without its key. */
  const transfer = (other: object = {}) => {
    const { transferId: _, ...body } = transferOf('x', aboveLimit);
    return { ...body, ...other };
  };
  const deliver = (input: object, name = 'transfers') => ({ process: { name, input } });

  it('is started by whoever delayed it, and not approved by them', async () => {
    const { body } = await create({ after: 'PT0S', deliver: deliver(transfer()) }, unique('t'), { subject: 'alice' });
    expect(body).toMatchObject({ delivers: 'process', process: { name: 'transfers', version: 1 } });
    const { started } = (await ended(body.id)).body.result;
    expect(started).toEqual({
      process: 'transfers',
      id: deliveryIdOf({ tenant: portico.tenant, key: body.id, generation: 1 }),
    });
    const instance = `/v1/transfers/${started.id}`;
    await until(
      () => portico.get(instance),
      ({ body: told }) => told.step === 'awaiting-approval',
    );
    const own = await portico.post(`${instance}/approve`, {}, { subject: 'alice' });
    expect([own.status, own.body.code]).toEqual([403, 'second-person-required']);
    expect((await portico.post(`${instance}/approve`, {}, { subject: 'bob' })).status).toBe(202);
  });

  it('needs the permission to start it: at the creation, and for each action that lets it start', async () => {
    const permissions = [
      'delayed-tasks:start',
      'delayed-tasks:reschedule',
      'delayed-tasks:run-now',
      'delayed-tasks:cancel',
    ];
    const body = { after: 'PT1H', deliver: deliver(transfer()) };
    expect((await create(body, unique('t'), { permissions })).body.code).toBe('forbidden');
    const created = await create(body);
    // Also a repetition.
    expect((await create(body, created.body.id, { permissions })).body.code).toBe('forbidden');
    const { id } = created.body;
    expect((await act(id, 'reschedule', { after: 'PT2H' }, { permissions })).body.code).toBe('forbidden');
    expect((await act(id, 'run-now', {}, { permissions })).body.code).toBe('forbidden');
    // 200 where it has ended by the time that the answer is made.
    expect([200, 202]).toContain((await act(id, 'cancel', {}, { permissions })).status);
  });

  it('is never a delayed task, whose own target nobody would judge', async () => {
    const inner = { after: 'PT0S', deliver: deliver(transfer()) };
    const asked = { after: 'PT0S', deliver: deliver(inner, 'delayed-tasks') };
    const { body, status } = await create(asked, unique('t'), { permissions: ['delayed-tasks:start'] });
    expect([status, body.errors?.[0]?.pointer]).toEqual([400, '/deliver/process/name']);
  });

  it('may be started by the tasks of a schedule where whoever makes the schedule may start it', async () => {
    const input = { after: 'PT0S', deliver: deliver(transfer()) };
    const schedule = (action: object) => ({ name: unique('s'), spec: { cron: ['@yearly'] }, action });
    const body = schedule({ process: 'delayed-tasks', input });
    const permissions = ['schedules:write', 'delayed-tasks:start'];
    expect((await portico.post('/v1/schedules', body, { permissions })).body).toMatchObject({ code: 'forbidden' });
    expect((await portico.post('/v1/schedules', body)).status).toBe(201);
    const put = { headers: { 'if-match': '*' } };
    const { name, ...replacement } = body;
    const replaced = await portico.put(`/v1/schedules/${name}`, replacement, { ...put, permissions });
    expect(replaced.body).toMatchObject({ code: 'forbidden' });
    const nested = { after: 'PT0S', deliver: deliver(input, 'delayed-tasks') };
    const refused = await portico.post('/v1/schedules', schedule({ process: 'delayed-tasks', input: nested }));
    expect(refused.body).toMatchObject({ code: 'invalid-request' });
  });

  it('judges itself who may start it so', async () => {
    const asked = { after: 'PT1H', deliver: deliver({ asked: -1 }, 'allotments') };
    const permissions = ['delayed-tasks:start', 'allotments:start'];
    expect((await create(asked, unique('t'), { permissions })).body).toMatchObject({ code: 'forbidden' });
    expect((await create(asked)).status).toBe(202);
  });

  it('has its input judged when the task is created', async () => {
    const wrong = await create({ after: 'PT1H', deliver: deliver(transfer({ amount: 5 })) });
    expect([wrong.status, wrong.body.errors[0].pointer]).toEqual([400, '/deliver/process/input/amount']);
    const unknown = await create({ after: 'PT1H', deliver: deliver({}, 'nothing') });
    expect([unknown.status, unknown.body.errors[0].pointer]).toEqual([400, '/deliver/process/name']);
    const both = await create({ after: 'PT1H', deliver: deliver(transfer()), payload: 1 });
    expect([both.status, both.body.errors[0].pointer]).toEqual([400, '/payload']);
  });

  it('that was started otherwise under its key ends the task dead, with the code', async () => {
    const transferId = unique('transfer');
    await portico.post('/v1/transfers', transferOf(transferId));
    const { body } = await create({ after: 'PT0S', deliver: deliver(transfer({ transferId })) });
    expect((await ended(body.id)).body.result).toEqual({
      outcome: 'dead',
      reason: 'idempotency-mismatch',
      attempts: 1,
    });
  });
});
