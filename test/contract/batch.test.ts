import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aboveLimit, closed, transferOf } from '../fixtures/transfers.ts';
import type { RequestOptions } from '../harness/caller.ts';
import { linesOf } from '../harness/jobs.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';

let portico: Portico;

beforeAll(async () => {
  portico = await startPortico();
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
});
afterAll(() => portico.stop());

interface Answered {
  readonly status: number;
  readonly idempotencyStatus?: string;
  readonly location?: string;
  readonly body: Readonly<Record<string, unknown>>;
}

async function batch(items: readonly unknown[], given?: RequestOptions): Promise<Answered[]> {
  const { status, body } = await portico.post('/v1/batch', items, given);
  expect(status).toBe(200);
  return body as Answered[];
}

const outlineOf = (answers: readonly Answered[]) =>
  answers.map(({ status, idempotencyStatus, body }) => [status, idempotencyStatus ?? body['code']]);

const startOf = (transferId: string, other: Parameters<typeof transferOf>[1] = {}) => ({
  operation: 'startTransfer',
  body: transferOf(transferId, other),
});
const greet = (userId: string, name = 'Ada') => ({ operation: 'startUserGrant', body: { userId, name } });

describe('a batch', () => {
  it('starts and changes instances of any process as if each item had come alone', async () => {
    const [transferId, task, userId] = [unique('transfer'), unique('task'), unique('user')];
    const later = { after: 'PT2H', deliver: { webhook: { url: 'https://shop.example/hook' } }, payload: 'x' };
    const answers = await batch([
      startOf(transferId, aboveLimit),
      { operation: 'startDelayedTask', idempotencyKey: task, body: later },
      greet(userId),
      { operation: 'cancelTransfer', id: transferId },
      { operation: 'resolveTransfer', id: transferId, body: { how: 'retry' } },
      { operation: 'startTransfer', idempotencyKey: 'another', body: transferOf(unique('transfer')) },
    ]);
    expect(outlineOf(answers)).toEqual([
      [202, 'created'],
      [202, 'created'],
      [202, 'created'],
      [expect.toBeOneOf([200, 202]), undefined],
      [400, 'invalid-key'],
      [400, 'invalid-key'],
    ]);
    expect(answers[0]?.location).toBe(`/v1/transfers/${transferId}`);
    const alone = await portico.post('/v1/delayed-tasks', later, { headers: { 'idempotency-key': task } });
    expect(alone.headers.get('location')).toBe(answers[1]?.location);
    expect(alone.body).toEqual(answers[1]?.body);
    expect((await closed(portico, `/v1/transfers/${transferId}`)).body).toMatchObject({ outcome: 'cancelled' });
  });

  it('with one key twice creates the instance once, and tells a mismatch', async () => {
    const [userId, other] = [unique('user'), unique('user')];
    const answers = await batch([greet(userId), greet(other), greet(userId), greet(userId, 'Eve'), greet(other)]);
    const [first, , again, mismatch] = outlineOf(answers);
    expect(first).toEqual([202, 'created']);
    expect(again?.[1]).toMatch(/^(joined|replayed)$/);
    expect(mismatch).toEqual([422, 'idempotency-mismatch']);
    expect(answers[2]?.body['runId']).toBe(answers[0]?.body['runId']);
  });

  it('reaches instances of the own tenant alone, and none without the permission', async () => {
    const transferId = unique('transfer');
    const cancel = { operation: 'cancelTransfer', id: transferId };
    await batch([startOf(transferId, aboveLimit)]);
    const foreign = await batch([cancel, startOf(transferId)], { tenant: unique('other') });
    expect(outlineOf(foreign)).toEqual([
      [404, 'not-found'],
      [202, 'created'],
    ]);
    const permissions = ['transfers:start', 'user-grants:start'];
    const refused = await batch([cancel, greet(unique('user'))], { permissions });
    expect(outlineOf(refused)).toEqual([
      [403, 'forbidden'],
      [202, 'created'],
    ]);
    // Links are those that the caller may use.
    expect(refused[1]?.body['links']).toEqual({});
    expect((await portico.get(`/v1/transfers/${transferId}`)).body.status).toBe('running');
  });
});

describe('a batch whose caller went', () => {
  it('may be sent again whole: each transfer is there once, and moved its money once', async () => {
    await portico.openAccounts('many', 'till');
    const ids = Array.from({ length: 30 }, (_, n) => unique(`transfer-${n}`));
    const items = ids.map((id) => startOf(id, { from: 'many', to: 'till' }));
    const authorization = `Bearer ${await portico.tokenFor()}`;
    const caller = new AbortController();
    const cut = await fetch(new URL('/v1/batch', portico.url), {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-ndjson' },
      body: linesOf(items),
      signal: caller.signal,
    });
    const reader = cut.body?.getReader();
    await reader?.read();
    caller.abort();
    await reader?.closed.catch(() => undefined);
    // What was under way may still begin.
    await sleep(200);
    const again = await batch(items);
    const found = new Set(outlineOf(again).map(([, status]) => status));
    expect(found.has('joined') || found.has('replayed')).toBe(true);
    expect(again.every(({ idempotencyStatus }) => idempotencyStatus !== undefined)).toBe(true);
    const third = await batch(items);
    expect(third.filter(({ idempotencyStatus }) => idempotencyStatus === 'created')).toEqual([]);
    expect(third.map(({ body }) => body['runId'])).toEqual(again.map(({ body }) => body['runId']));
    await Promise.all(ids.map((id) => closed(portico, `/v1/transfers/${id}`)));
    const balances = await Promise.all(['many', 'till'].map((id) => portico.get(`/v1/accounts/${id}`)));
    expect(balances.map(({ body }) => body.balance.minor)).toEqual(['99997000', '100003000']);
  });
});
