import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freezing, layFreezing, returnStuck, stuckTransfer } from '../fixtures/stuck-transfers.ts';
import { withKey } from '../fixtures/transfers.ts';
import type { Reply } from '../harness/caller.ts';
import { reportEmbedded } from '../harness/money-report.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'portico-accounts-'));

let portico: Portico;
let operator: TemporalOperator;

beforeAll(async () => {
  await layFreezing(stateDir);
  [portico, operator] = await Promise.all([
    startPortico({
      stateDir,
      environment: {
        PORTICO_TRANSFERS_APPROVAL_LIMITS: 'EUR:10000,USD:10000',
        PORTICO_ACTIVITY_SLOTS: '4',
      },
    }),
    connectOperator(temporalAddress()),
  ]);
  await portico.untilReady();
});
afterAll(async () => {
  await portico.stop();
  await operator.close();
  rmSync(stateDir, { recursive: true, force: true });
});

const wait = { headers: { prefer: 'wait=20' } };
const opening = (minor: string, currency = 'EUR') => ({ currency, openingBalance: { minor } });

/** Opens an account of its own and gives its id. */
async function openAccount(minor = '1000', currency = 'EUR', id = unique('account')): Promise<string> {
  const { status } = await portico.put(`/v1/accounts/${id}`, opening(minor, currency));
  expect(status).toBe(201);
  return id;
}

const pair = (minor?: string) => Promise.all([openAccount(minor), openAccount(minor)]);
const freeze = (id: string) => portico.post(`/v1/accounts/${id}/freeze`, undefined);
const unfreeze = (id: string) => portico.post(`/v1/accounts/${id}/unfreeze`, undefined);

const balanceOf = async (id: string): Promise<bigint> =>
  BigInt((await portico.get(`/v1/accounts/${id}`)).body.balance.minor);

const balancesOf = (...ids: string[]): Promise<bigint[]> => Promise.all(ids.map(balanceOf));

const transferOf = (from: string, to: string, minor = '100', currency = 'EUR') => ({
  transferId: unique('transfer'),
  from,
  to,
  amount: { currency, minor },
});

type Transfer = ReturnType<typeof transferOf>;

const pathOf = ({ transferId }: Transfer) => `/v1/transfers/${transferId}`;

/** Starts a transfer and waits for its end; checks that the answer and the resource show the same typed result. */
async function outcomeOf(transfer: Transfer, ended: Reply | Promise<Reply>): Promise<Record<string, unknown>> {
  const answer = await ended;
  expect(answer.status).toBe(200);
  const { body } = await portico.get(`${pathOf(transfer)}/result`);
  expect(body).toMatchObject({ status: 'closed', outcome: body.result.outcome, result: answer.body.result });
  const { transferId, amount, ...outcome } = body.result as Record<string, unknown>;
  expect({ transferId, amount }).toEqual({ transferId: transfer.transferId, amount: transfer.amount });
  return outcome;
}

const run = (transfer: Transfer) => outcomeOf(transfer, portico.post('/v1/transfers', transfer, wait));

async function awaitingApproval(transfer: Transfer): Promise<Transfer> {
  await portico.post('/v1/transfers', transfer);
  await until(
    () => portico.get(pathOf(transfer)),
    ({ body }) => body.step === 'awaiting-approval',
  );
  return transfer;
}

describe('opening an account', () => {
  it('books its opening balance once: the same body again is 200, another 409', async () => {
    const path = `/v1/accounts/${unique('account')}`;
    const opened = await portico.put(path, opening('1000'));
    expect(opened.status).toBe(201);
    expect(opened.headers.get('location')).toBe(path);
    expect(opened.body).toEqual({
      id: path.split('/').pop(),
      currency: 'EUR',
      balance: { minor: '1000' },
      frozen: false,
      openedAt: expect.any(String),
    });
    const again = await portico.put(path, opening('1000'));
    expect([again.status, again.body]).toEqual([200, opened.body]);
    for (const other of [opening('1001'), opening('0'), opening('1000', 'USD')]) {
      const refused = await portico.put(path, other);
      expect([refused.status, refused.body.code]).toEqual([409, 'account-conflict']);
    }
    expect((await portico.get(path)).body).toEqual(opened.body);
  });

  it('after its money has moved is compared with the opening, not with the balance', async () => {
    const [payer, payee] = await pair();
    expect(await run(transferOf(payer, payee, '400'))).toEqual({ outcome: 'completed' });
    const again = await portico.put(`/v1/accounts/${payer}`, opening('1000'));
    expect([again.status, again.body.balance.minor]).toEqual([200, '600']);
    expect((await portico.put(`/v1/accounts/${payer}`, opening('600'))).status).toBe(409);
    expect(await balancesOf(payer, payee)).toEqual([600n, 1_400n]);
  });

  it('many times at once books once, whoever wins', async () => {
    const [equal, mixed] = [`/v1/accounts/${unique('account')}`, `/v1/accounts/${unique('account')}`];
    const same = await Promise.all(Array.from({ length: 16 }, () => portico.put(equal, opening('70'))));
    expect(same.map(({ status }) => status).sort()).toEqual([...Array<number>(15).fill(200), 201]);
    expect((await portico.get(equal)).body.balance.minor).toBe('70');
    const others = await Promise.all(['1', '2', '3', '4'].map((minor) => portico.put(mixed, opening(minor))));
    expect(others.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409]);
  });

  it.each(['-1', '+1', '01', '1.0', '1e3', '', ' 1', '1000000000000000', 5, null])(
    'refuses %j as a balance',
    async (minor) => {
      const path = `/v1/accounts/${unique('account')}`;
      const refused = await portico.put(path, { currency: 'EUR', openingBalance: { minor } });
      expect([refused.status, refused.body.code]).toEqual([400, 'invalid-request']);
      expect((await portico.get(path)).status).toBe(404);
    },
  );

  it('takes the largest balance there is, and refuses other currencies, members and ids', async () => {
    const id = await openAccount('999999999999999');
    expect(await balanceOf(id)).toBe(999_999_999_999_999n);
    const path = `/v1/accounts/${unique('account')}`;
    const refused = await Promise.all([
      portico.put(path, opening('1', 'eur')),
      portico.put(path, { ...opening('1'), frozen: true }),
      portico.put('/v1/accounts/~equity:EUR', opening('1')),
      portico.get('/v1/accounts/%7Eequity:EUR'),
      portico.post('/v1/accounts/~clearing:EUR/freeze', undefined),
    ]);
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400, 400, 400]);
  });
});

describe('an account', () => {
  it('is frozen and unfrozen as often as one likes', async () => {
    const id = await openAccount();
    const answers = [await freeze(id), await freeze(id), await unfreeze(id), await unfreeze(id)];
    expect(answers.map(({ status, body }) => [status, body.frozen])).toEqual([
      [200, true],
      [200, true],
      [200, false],
      [200, false],
    ]);
    await freeze(id);
    const again = await portico.put(`/v1/accounts/${id}`, opening('1000'));
    expect([again.status, again.body.frozen]).toEqual([200, true]);
  });

  it('says who froze it, when and why, as long as it is frozen', async () => {
    const path = `/v1/accounts/${await openAccount()}`;
    const note = 'reported as stolen';
    const frozen = await portico.post(`${path}/freeze`, { note }, { subject: 'bob' });
    const facts = { frozen: true, frozenBy: 'bob', frozenAt: expect.any(String), frozenNote: note };
    expect([frozen.status, frozen.body]).toEqual([200, expect.objectContaining(facts)]);
    expect((await portico.get(path)).body).toEqual(frozen.body);
    const again = await portico.post(`${path}/freeze`, {}, { subject: 'carol' });
    expect(again.body).toEqual(frozen.body);
    const { body } = await portico.post(`${path}/unfreeze`, { note: 'found again' }, { subject: 'carol' });
    expect(Object.keys(body).filter((name) => name.startsWith('frozen'))).toEqual(['frozen']);
    const refused = await portico.post(`${path}/freeze`, { note: '' });
    expect([refused.status, refused.body.code]).toEqual([400, 'invalid-request']);
  });

  it('of another tenant is an absent one, and its id is free', async () => {
    const id = await openAccount();
    const other = { tenant: unique('other') };
    const path = `/v1/accounts/${id}`;
    const answers = await Promise.all([
      portico.get(path, other),
      portico.post(`${path}/freeze`, undefined, other),
      portico.post(`${path}/unfreeze`, undefined, other),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    const own = await portico.put(path, opening('5', 'USD'), other);
    expect([own.status, own.body.balance.minor]).toEqual([201, '5']);
    expect((await portico.get(path)).body).toMatchObject({
      currency: 'EUR',
      balance: { minor: '1000' },
      frozen: false,
    });
  });

  it('of another tenant neither pays nor receives', async () => {
    const tenant = unique('other');
    const [mine, theirs] = [await openAccount(), unique('account')];
    await portico.put(`/v1/accounts/${theirs}`, opening('1000'), { tenant });
    for (const transfer of [transferOf(mine, theirs), transferOf(theirs, mine)]) {
      expect(await run(transfer)).toEqual({ outcome: 'rejected', reason: 'account-unknown' });
    }
    expect(await balanceOf(mine)).toBe(1_000n);
    expect((await portico.get(`/v1/accounts/${theirs}`, { tenant })).body.balance.minor).toBe('1000');
  });
});

describe('a transfer ends', () => {
  it('completed', async () => {
    const [payer, payee] = await pair();
    expect(await run(transferOf(payer, payee, '1000'))).toEqual({ outcome: 'completed' });
    expect(await balancesOf(payer, payee)).toEqual([0n, 2_000n]);
  });

  it('compensated, where the payee is frozen', async () => {
    const [payer, payee] = await pair();
    await freeze(payee);
    expect(await run(transferOf(payer, payee))).toEqual({ outcome: 'compensated', reason: 'deposit-refused' });
    expect(await balancesOf(payer, payee)).toEqual([1_000n, 1_000n]);
  });

  it('rejected, with the reason', async () => {
    const [payer, payee] = await pair();
    const dollars = await openAccount('1000', 'USD');
    const reasons = [
      await run(transferOf(payer, payee, '1001')),
      await run(transferOf(payer, unique('absent'))),
      await run(transferOf(payer, dollars)),
      await run(transferOf(payer, payee, '100', 'USD')),
      await freeze(payer).then(() => run(transferOf(payer, payee))),
    ];
    expect(reasons).toEqual(
      ['insufficient-funds', 'account-unknown', 'currency-differs', 'currency-differs', 'account-frozen'].map(
        (reason) => ({ outcome: 'rejected', reason }),
      ),
    );
    expect(await balancesOf(payer, payee, dollars)).toEqual([1_000n, 1_000n, 1_000n]);
  });

  it('rejected by a second person, with the note', async () => {
    const [payer, payee] = await pair('50000');
    const transfer = await awaitingApproval(transferOf(payer, payee, '10001'));
    const rejected = portico.post(`${pathOf(transfer)}/reject`, { note: 'not now' }, { ...wait, subject: 'bob' });
    const outcome = { outcome: 'rejected', reason: 'declined', note: 'not now', by: 'bob' };
    expect(await outcomeOf(transfer, rejected)).toEqual(outcome);
    expect(await balancesOf(payer, payee)).toEqual([50_000n, 50_000n]);
  });

  it('cancelled, while it waits', async () => {
    const [payer, payee] = await pair('50000');
    const transfer = await awaitingApproval(transferOf(payer, payee, '10001'));
    const cancelled = portico.post(`${pathOf(transfer)}/cancel`, {}, wait);
    expect(await outcomeOf(transfer, cancelled)).toEqual({ outcome: 'cancelled', by: 'alice' });
    const late = await portico.post(`${pathOf(transfer)}/approve`, {}, { subject: 'bob' });
    expect([late.status, late.body.code]).toEqual([409, 'too-late']);
    expect(await balancesOf(payer, payee)).toEqual([50_000n, 50_000n]);
  });

  it('in conflict, where its id stood for another transfer that Temporal has forgotten', async () => {
    const [payer, payee] = await pair();
    const first = transferOf(payer, payee, '300');
    expect(await run(first)).toEqual({ outcome: 'completed' });
    await operator.forget(`${portico.tenant}/transfers/${first.transferId}`);
    const other = { ...first, amount: { currency: 'EUR', minor: '301' } };
    const answer = await portico.post('/v1/transfers', other, wait);
    expect(answer.body.result).toMatchObject({ outcome: 'conflict', amount: { minor: '301' } });
    const { body } = await portico.get(`${pathOf(first)}/result`);
    expect(body.result).toMatchObject({ outcome: 'completed', amount: { minor: '300' } });
    expect(await balancesOf(payer, payee)).toEqual([700n, 1_300n]);
  });

  it('only where there is money for it: of many at once exactly those complete', async () => {
    const [payer, payee] = await pair();
    const outcomes = await Promise.all(Array.from({ length: 15 }, () => run(transferOf(payer, payee))));
    expect(outcomes.filter(({ outcome }) => outcome === 'completed')).toHaveLength(10);
    expect(outcomes.filter(({ reason }) => reason === 'insufficient-funds')).toHaveLength(5);
    expect(await balancesOf(payer, payee)).toEqual([0n, 2_000n]);
  });
});

describe('a transfer whose money cannot be returned', () => {
  it('is stuck until an operator retries or settles it, and no money is lost', async () => {
    const open = (name: string) => openAccount('4000', 'EUR', unique(`${name}-${freezing}`));
    const [payer, other, payee] = await Promise.all([open('payer'), open('other'), openAccount('0')]);
    await freeze(payee);
    const retried = await stuckTransfer(portico, { from: payer, to: payee });
    const settled = await stuckTransfer(portico, { from: other, to: payee });
    expect(await balancesOf(payer, other, payee)).toEqual([3_999n, 3_999n, 0n]);

    const seen = await portico.get(pathOf(retried), { permissions: ['transfers:read', 'transfers:resolve'] });
    expect(Object.keys(seen.body.links).sort()).toEqual(['resolve', 'result', 'self']);
    // Whether the payee gets the money is not known: the cancel is refused.
    const cancelled = await portico.post(`${pathOf(retried)}/cancel`, undefined);
    expect([cancelled.status, cancelled.body.code]).toEqual([409, 'action-not-allowed']);
    const vain = await portico.post(`${pathOf(retried)}/resolve`, { how: 'retry' }, withKey());
    expect([vain.status, vain.body.step]).toEqual([202, 'compensation-stuck']);

    const settle = portico.post(`${pathOf(settled)}/resolve`, { how: 'settle', note: 'paid by hand' }, withKey(wait));
    expect(await outcomeOf(settled, settle)).toEqual({ outcome: 'settled', note: 'paid by hand', settledBy: 'alice' });

    await returnStuck(portico, retried);
    const compensated = { outcome: 'compensated', reason: 'deposit-refused' };
    expect(await outcomeOf(retried, portico.get(`${pathOf(retried)}/result`))).toEqual(compensated);
    expect(await balancesOf(payer, other, payee)).toEqual([4_000n, 3_999n, 0n]);
    const after = await portico.post(`${pathOf(settled)}/resolve`, { how: 'retry' }, withKey());
    expect([after.status, after.body.code]).toEqual([409, 'too-late']);
  });
});

// Last: it stops Portico, to look into its books without it.
it('at rest the books agree with all of the above', async () => {
  await portico.stop();
  const { findings, outcomes } = await reportEmbedded(stateDir, portico.tenant);
  expect(findings).toEqual([]);
  expect([...outcomes.values()].filter((outcome) => outcome === null)).toEqual([]);
  expect(new Set(outcomes.values())).toEqual(new Set(['completed', 'compensated', 'rejected', 'cancelled', 'settled']));
});
