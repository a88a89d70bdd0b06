import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { temporalAddress } from '../servers/temporal.ts';

let portico: Portico;
let operator: TemporalOperator;

beforeAll(async () => {
  [portico, operator] = await Promise.all([startPortico(), connectOperator(temporalAddress())]);
  await portico.untilReady();
});
afterAll(async () => {
  await portico.stop();
  await operator.close();
});

const path = '/v1/user-grants';
const wait = { headers: { prefer: 'wait=20' } };

const grantOf = (other: object = {}) => ({ userId: unique('user'), name: 'Ann', ...other });
const forgetGrant = (userId: string) => operator.forget(`${portico.tenant}/user-grants/${userId}`);

interface Effect {
  readonly kind: string;
  readonly generation: number;
}

/** What a user has got, in order: the kinds of messages and of discounts. */
async function effectsOf(userId: string, options: object = {}) {
  const [inbox, discounts] = await Promise.all(
    ['inbox', 'discounts'].map(async (list) => {
      const { status, body } = await portico.get(`/v1/users/${userId}/${list}?limit=100`, options);
      expect([status, body.cursor]).toEqual([200, undefined]);
      return (body.items as Effect[]).map(({ kind, generation }) => `${kind} ${generation}`);
    }),
  );
  return { inbox, discounts };
}

const minor = { inbox: ['welcome 1'], discounts: ['welcome 1'] };
const adult = { inbox: ['welcome 1', 'adult 1'], discounts: ['adult 1', 'welcome 1'] };

/** A date so many years ago, and some days more. */
function birthDate({ years, days }: { years: number; days: number }): string {
  const date = new Date();
  date.setUTCFullYear(date.getUTCFullYear() - years);
  date.setUTCDate(date.getUTCDate() - days);
  return date.toISOString().slice(0, 10);
}

describe('a grant', () => {
  it('started 64 times at once has each effect once', async () => {
    const grant = grantOf({ birthDate: '1990-05-31' });
    const replies = await Promise.all(Array.from({ length: 64 }, () => portico.post(path, grant, wait)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(replies.map(({ body }) => body.runId)).size).toBe(1);
    const created = replies.filter(({ headers }) => headers.get('idempotency-status') === 'created');
    expect(created).toHaveLength(1);
    expect(replies[0]?.body.result).toEqual({
      outcome: 'completed',
      userId: grant.userId,
      messages: ['welcome', 'adult'],
      discounts: ['adult', 'welcome'],
    });
    expect(await effectsOf(grant.userId)).toEqual(adult);
  });

  it.each([
    ['of age since yesterday', { birthDate: birthDate({ years: 18, days: 1 }) }, adult],
    ['two days short of it', { birthDate: birthDate({ years: 18, days: -2 }) }, minor],
    ['of whom no date is known', {}, minor],
  ])('of somebody %s', async (_, other, effects) => {
    const grant = grantOf(other);
    const { body } = await portico.post(path, grant, wait);
    expect(body.outcome).toBe('completed');
    expect(await effectsOf(grant.userId)).toEqual(effects);
  });

  it('speaks to the user by name and in their language', async () => {
    const grant = grantOf({ name: 'Änne "O\'Hara" 😀', locale: 'de-AT' });
    await portico.post(path, grant, wait);
    const { body } = await portico.get(`/v1/users/${grant.userId}/inbox`);
    expect(body.items[0]).toMatchObject({ kind: 'welcome', title: 'Willkommen, Änne "O\'Hara" 😀!' });
    const discounts = await portico.get(`/v1/users/${grant.userId}/discounts`);
    expect(discounts.body.items).toEqual([
      { kind: 'welcome', generation: 1, percent: expect.any(Number), grantedAt: expect.any(String) },
    ]);
  });

  it('of the same user of another tenant is another grant', async () => {
    const grant = grantOf();
    const other = { tenant: unique('tenant') };
    await portico.post(path, grant, wait);
    expect(await effectsOf(grant.userId, other)).toEqual({ inbox: [], discounts: [] });
    const theirs = await portico.post(path, { ...grant, birthDate: '1990-05-31' }, { ...wait, ...other });
    expect(theirs.headers.get('idempotency-status')).toBe('created');
    expect(await effectsOf(grant.userId, other)).toEqual(adult);
    expect(await effectsOf(grant.userId)).toEqual(minor);
  });
});

describe('the lists of a user', () => {
  it('go on page by page', async () => {
    const grant = grantOf({ birthDate: '1990-05-31' });
    await portico.post(path, grant, wait);
    const first = await portico.get(`/v1/users/${grant.userId}/inbox?limit=1`);
    expect(first.body.items.map(({ kind }: Effect) => kind)).toEqual(['welcome']);
    const second = await portico.get(`/v1/users/${grant.userId}/inbox?limit=1&cursor=${first.body.cursor}`);
    expect(second.body.items.map(({ kind }: Effect) => kind)).toEqual(['adult']);
    expect(second.body.cursor).toBeUndefined();
  });

  it('are empty for somebody nobody knows, and refuse what is no page', async () => {
    expect(await effectsOf(unique('nobody'))).toEqual({ inbox: [], discounts: [] });
    const queries = [
      'limit=0',
      'limit=101',
      'cursor=x',
      'cursor=-1',
      `cursor=${'9'.repeat(19)}`,
      'cursor=1&cursor=2',
      'sort=id',
    ];
    const refused = await Promise.all(queries.map((query) => portico.get(`/v1/users/x/inbox?${query}`)));
    expect(refused.map(({ status, body }) => [status, body.code])).toEqual(queries.map(() => [400, 'invalid-request']));
    const last = await portico.get(`/v1/users/x/discounts?cursor=${'9'.repeat(18)}`);
    expect(last.body.items).toEqual([]);
  });
});

describe('a grant that Temporal has forgotten', () => {
  it('is a new instance for the same payload, and gives nothing a second time', async () => {
    const grant = grantOf({ birthDate: '1990-05-31' });
    const first = await portico.post(path, grant, wait);
    const before = await portico.get(`/v1/users/${grant.userId}/inbox`);
    await forgetGrant(grant.userId);
    expect((await portico.get(`${path}/${grant.userId}`)).status).toBe(404);

    const replies = await Promise.all(Array.from({ length: 16 }, () => portico.post(path, grant, wait)));
    const created = replies.filter(({ headers }) => headers.get('idempotency-status') === 'created');
    expect(created).toHaveLength(1);
    expect(created[0]?.body.runId).not.toBe(first.body.runId);
    expect(created[0]?.body.result).toEqual(first.body.result);
    expect(await effectsOf(grant.userId)).toEqual(adult);
    expect((await portico.get(`/v1/users/${grant.userId}/inbox`)).body).toEqual(before.body);
  });

  it('gives with another payload only what the user does not have', async () => {
    const grant = grantOf();
    await portico.post(path, grant, wait);
    expect(await effectsOf(grant.userId)).toEqual(minor);
    expect((await portico.post(path, { ...grant, birthDate: '1990-05-31' })).status).toBe(422);
    await forgetGrant(grant.userId);
    const again = await portico.post(path, { ...grant, name: 'Bea', birthDate: '1990-05-31' }, wait);
    expect([again.status, again.headers.get('idempotency-status')]).toEqual([200, 'created']);
    const { inbox, discounts } = await effectsOf(grant.userId);
    expect(inbox).toEqual(['welcome 1', 'adult 1']);
    expect(discounts).toEqual(['welcome 1', 'adult 1']);
    const { body } = await portico.get(`/v1/users/${grant.userId}/inbox`);
    expect(body.items[0].title).toBe('Welcome, Ann!');
  });
});
