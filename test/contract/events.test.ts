import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { actionOn, startOn } from '../../src/definition/events.ts';
import { parcelsV1, probesV1 } from '../fixtures/probes.ts';
import { aboveLimit, closed, transferOf } from '../fixtures/transfers.ts';
import type { RequestOptions } from '../harness/caller.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';

let portico: Portico;
let limited: Portico;

const named = z.object({ probeId: z.string() });

/** The same as the processes for tests, under names of their own, with events. */
const definitions = [
  {
    ...probesV1,
    name: 'heard-probes',
    collection: 'heard-probes',
    singular: 'heard-probe',
    events: [
      startOn({ type: 'test.probe.asked', summary: 'For tests', data: named, starts: ({ probeId }) => ({ probeId }) }),
      actionOn({
        type: 'test.probe.poked',
        summary: 'For tests',
        data: named,
        action: 'poke',
        id: ({ probeId }) => probeId,
        body: () => ({}),
      }),
      startOn({
        type: 'test.probe.broken',
        summary: 'For tests',
        data: z.unknown(),
        starts: () => {
          throw new Error('a secret of the mapping');
        },
      }),
    ],
  },
  {
    ...parcelsV1,
    name: 'heard-parcels',
    collection: 'heard-parcels',
    singular: 'heard-parcel',
    events: [
      startOn({
        type: 'test.parcel.sent',
        summary: 'For tests',
        data: named,
        starts: ({ probeId }) => ({ probeId, mode: 'finish' as const }),
      }),
    ],
  },
];

beforeAll(async () => {
  [portico, limited] = await Promise.all([
    startPortico({ definitions }),
    startPortico({ environment: { ROLE: 'api', PORTICO_RATE_LIMIT_STARTS: '1' } }),
  ]);
  await Promise.all([portico.untilReady(), limited.untilReady()]);
  await portico.openAccounts('payer', 'payee');
});
afterAll(() => Promise.all([portico.stop(), limited.stop()]));

interface Answered {
  readonly status: number;
  readonly idempotencyStatus?: string;
  readonly location?: string;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Event {
  readonly type: string;
  readonly data: unknown;
  readonly id?: string;
  readonly source?: string;
}

const source = 'https://users.example/';
const eventOf = (event: Event) => ({ specversion: '1.0', id: unique('event'), source, ...event });

const one = { 'content-type': 'application/cloudevents+json' };
const several = { 'content-type': 'application/cloudevents-batch+json; charset=utf-8' };

const send = (event: Event, given: RequestOptions = {}, to = portico) =>
  to.post('/v1/events', eventOf(event), { ...given, headers: one });

/** openapi.yaml knows neither the events for tests, nor those that do not fit. */
async function tell(body: unknown, headers: Record<string, string>, given: RequestOptions = {}, to = portico) {
  const authorization = `Bearer ${await to.tokenFor(given)}`;
  const init = { method: 'POST', headers: { authorization, ...headers }, body: JSON.stringify(body) };
  const response = await fetch(new URL('/v1/events', to.url), init);
  return { status: response.status, body: await response.json() };
}

async function sendAll(events: readonly Event[], given: RequestOptions = {}, to = portico): Promise<Answered[]> {
  const { status, body } = await tell(events.map(eventOf), several, given, to);
  expect(status).toBe(200);
  return body as Answered[];
}

const outlineOf = (answers: readonly Answered[]) =>
  answers.map(({ status, idempotencyStatus, body }) => [status, idempotencyStatus ?? body['code']]);

const created = (userId: string, other: object = {}): Event => ({
  type: 'portico.user.created',
  data: { userId, name: 'Ann', ...other },
});
const requested = (transferId: string, other: object = {}): Event => ({
  type: 'portico.transfer.requested',
  data: { ...transferOf(transferId, aboveLimit), ...other },
});
const withdrawn = (transferId: string, id = unique('event')): Event => ({
  type: 'portico.transfer.withdrawn',
  id,
  data: { transferId },
});

describe('an event that starts an instance', () => {
  it('is answered as the start: created, joined, replayed, or a mismatch', async () => {
    const transferId = unique('transfer');
    const path = `/v1/transfers/${transferId}`;
    const first = await send(requested(transferId));
    expect([first.status, first.headers.get('idempotency-status')]).toEqual([202, 'created']);
    expect(first.headers.get('location')).toBe(path);
    expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(first.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(first.body).toMatchObject({ id: transferId, status: 'running' });
    // Another event of the same content: the business key tells.
    const joined = await send(requested(transferId));
    expect([joined.status, joined.headers.get('idempotency-status')]).toEqual([202, 'joined']);
    const mismatch = await send(requested(transferId, { reference: 'other' }));
    expect([mismatch.status, mismatch.body.code]).toEqual([422, 'idempotency-mismatch']);
    expect(mismatch.headers.get('content-type')).toBe('application/problem+json');
    await portico.post(`${path}/cancel`, {});
    await closed(portico, path);
    const replayed = await send(requested(transferId));
    expect([replayed.status, replayed.headers.get('idempotency-status')]).toEqual([200, 'replayed']);
    expect(replayed.body).toMatchObject({ outcome: 'cancelled', result: { outcome: 'cancelled' } });
  });

  it('joins the same start by REST, and is joined by it', async () => {
    const [early, late] = [unique('user'), unique('user')];
    const grant = (userId: string) => ({ userId, name: 'Ann', birthDate: '1990-05-31' });
    const byRest = await portico.post('/v1/user-grants', grant(early));
    // What producers tell beside does not change what is started.
    const byEvent = await send(created(early, { birthDate: '1990-05-31', plan: 'free' }));
    expect(byEvent.headers.get('idempotency-status')).toMatch(/^(joined|replayed)$/);
    expect(byEvent.body.runId).toBe(byRest.body.runId);

    const heard = await send(created(late, { birthDate: '1990-05-31' }));
    expect(heard.headers.get('idempotency-status')).toBe('created');
    const after = await portico.post('/v1/user-grants', grant(late));
    expect(after.headers.get('idempotency-status')).toMatch(/^(joined|replayed)$/);
    expect(after.body.runId).toBe(heard.body.runId);
    const other = await portico.post('/v1/user-grants', { ...grant(late), name: 'Eve' });
    expect(other.status).toBe(422);
  });

  it('may come in binary mode', async () => {
    const userId = unique('user');
    const { data, type } = created(userId);
    const headers = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': source, 'ce-type': type };
    const reply = await portico.post('/v1/events', data, { headers });
    expect([reply.status, reply.body.id]).toEqual([202, userId]);
    const wrong = await portico.post('/v1/events', { userId }, { headers });
    expect(wrong.body).toMatchObject({ code: 'invalid-request', errors: [{ pointer: '/name' }] });
  });

  it('has the digest of source and id as its key where the key is a header', async () => {
    const sent = { type: 'test.parcel.sent', source: '/a', id: unique('id'), data: { probeId: 'x' } };
    const other = unique('id');
    const shifted = { ...sent, source: '/', id: `a${sent.id}` };
    const answers = await sendAll([sent, sent, { ...sent, id: other }, { ...sent, source: '/b' }, shifted]);
    expect(answers[1]).toMatchObject({ location: answers[0]?.location, body: { runId: answers[0]?.body['runId'] } });
    expect(new Set(answers.map(({ location }) => location)).size).toBe(4);
    expect(outlineOf(answers)[1]?.[1]).toMatch(/^(joined|replayed)$/);
    expect((await sendAll([{ ...sent, data: { probeId: 'y' } }]))[0]?.body['code']).toBe('idempotency-mismatch');
  });
});

describe('an event that is an action', () => {
  it('acts once, however often it is delivered, and again where it is another event', async () => {
    const probeId = unique('probe');
    const poked = { type: 'test.probe.poked', id: unique('event'), data: { probeId } };
    await sendAll([{ type: 'test.probe.asked', data: { probeId } }]);
    const answers = await sendAll([poked, poked]);
    expect(answers.map(({ status, body }) => [status, body['output']])).toEqual([
      [202, { pings: 1 }],
      [202, { pings: 1 }],
    ]);
    const [elsewhere, another] = await sendAll([
      { ...poked, source: '/elsewhere' },
      { ...poked, id: unique('event') },
    ]);
    expect([elsewhere?.body['output'], another?.body['output']]).toEqual([{ pings: 2 }, { pings: 3 }]);
  });

  it('calls a transfer off, in the order of a batch', async () => {
    const transferId = unique('transfer');
    const answers = await sendAll([requested(transferId), withdrawn(transferId, 'w-1')]);
    expect(answers[0]).toMatchObject({ status: 202, idempotencyStatus: 'created' });
    expect(answers[1]?.body).toMatchObject({ id: transferId, output: { accepted: true } });
    expect((await closed(portico, `/v1/transfers/${transferId}`)).body.outcome).toBe('cancelled');
    const unknown = await send(withdrawn(unique('transfer')));
    expect(unknown.status).toBe(404);
  });
});

describe('who sends an event', () => {
  it('is told by the token alone: another tenant reaches other instances', async () => {
    const transferId = unique('transfer');
    await send({ ...requested(transferId), source: 'https://users.example/tenant/one' });
    const tenant = unique('other');
    const theirs = {
      ...withdrawn(transferId),
      source: `https://users.example/${portico.tenant}`,
      tenant: portico.tenant,
    };
    expect((await send(theirs, { tenant })).status).toBe(404);
    const [own] = await sendAll([created('the-same')], { tenant });
    expect(own?.idempotencyStatus).toBe('created');
    expect((await portico.get(`/v1/transfers/${transferId}`)).body.status).toBe('running');
  });

  it('needs the permission of the start or the action, and learns nothing else without it', async () => {
    const transferId = unique('transfer');
    await send(requested(transferId));
    const start = { permissions: ['transfers:start'] };
    expect((await send(withdrawn(transferId), start)).body).toMatchObject({ status: 403, code: 'forbidden' });
    const bad: Event = { type: 'portico.user.created', data: {} };
    expect((await send(bad, start)).body).toEqual(expect.not.objectContaining({ errors: expect.anything() }));
    expect((await portico.post('/v1/events', eventOf(bad), { headers: one, token: null })).status).toBe(401);
  });

  it('learns which types there are as far as it may send them', async () => {
    const unknown: Event = { type: 'portico.user.deleted', data: {} };
    const some = await send(unknown, { permissions: ['transfers:start', 'transfers:cancel'] });
    expect(some.body).toMatchObject({ status: 422, code: 'unknown-event-type', retryable: false });
    const message = 'is none of those that this token may send: portico.transfer.requested, portico.transfer.withdrawn';
    expect(some.body.errors).toEqual([{ pointer: '/type', message }]);
    const none = await send(unknown, { permissions: ['accounts:read'] });
    expect(none.body.errors).toEqual([{ pointer: '/type', message: 'is none that this token may send' }]);
  });
});

describe('an event that does not fit', () => {
  it('is told where in its data', async () => {
    const wrong = await send(created('a b', { birthDate: 'soon' }));
    expect(wrong.body).toMatchObject({ status: 400, code: 'invalid-request' });
    expect(wrong.body.errors).toMatchObject([{ pointer: '/data/userId' }, { pointer: '/data/birthDate' }]);
    const same = await send(requested(unique('transfer'), { to: 'payer' }));
    expect(same.body.errors).toMatchObject([{ pointer: '/data/to', message: 'must be another account than `from`' }]);
  });

  it('because the mapping throws is a problem of the event, and shows nothing of the mapping', async () => {
    const { status, body } = await send({ type: 'test.probe.broken', data: 1 });
    expect([status, body.code, body.errors]).toEqual([
      400,
      'invalid-request',
      [{ pointer: '/data', message: 'cannot be mapped' }],
    ]);
    expect(JSON.stringify(body)).not.toContain('secret');
  });

  it('because its data is longer than the body of the operation may be, is refused', async () => {
    const long = { plan: 'x'.repeat(8_192) };
    expect((await send(created(unique('user'), long))).body).toMatchObject({ status: 413, code: 'body-too-large' });
  });

  it('spoils no other of its batch', async () => {
    const [good, better] = [unique('user'), unique('user')];
    const answers = await sendAll([
      created(good),
      { type: 'nobody.knows', data: {} },
      created('a b'),
      { ...created(unique('user')), id: '' },
      created(better),
    ]);
    expect(outlineOf(answers)).toEqual([
      [202, 'created'],
      [422, 'unknown-event-type'],
      [400, 'invalid-request'],
      [400, 'invalid-request'],
      [202, 'created'],
    ]);
  });
});

it('each event counts for the rate limit of its operation', async () => {
  const events = Array.from({ length: 12 }, () => created(unique('user')));
  const statuses = (await sendAll(events, {}, limited)).map(({ status }) => status);
  expect(statuses.filter((status) => status === 202)).toHaveLength(10);
  expect(statuses.filter((status) => status === 429)).toHaveLength(2);
  const alone = await send(created(unique('user')), {}, limited);
  expect([alone.status, alone.body.code]).toEqual([429, 'rate-limited']);
  expect(Number(alone.headers.get('retry-after'))).toBeGreaterThan(0);
});
