import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freezing, layFreezing, stuckTransfer } from '../fixtures/stuck-transfers.ts';
import { closed } from '../fixtures/transfers.ts';
import type { Reply } from '../harness/caller.ts';
import { reportEmbedded } from '../harness/money-report.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { temporalRequests } from '../harness/temporal-requests.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'portico-forgotten-'));

let portico: Portico;
let operator: TemporalOperator;

beforeAll(async () => {
  await layFreezing(stateDir);
  [portico, operator] = await Promise.all([
    startPortico({ stateDir, environment: { PORTICO_TRANSFERS_APPROVAL_LIMIT_MINOR: '1000' } }),
    connectOperator(temporalAddress()),
  ]);
  await portico.untilReady();
});
afterAll(async () => {
  await portico.stop();
  await operator.close();
  rmSync(stateDir, { recursive: true, force: true });
});

const path = '/v1/transfers';
const wait = { headers: { prefer: 'wait=20' } };
const bob = { ...wait, subject: 'bob' };

/** Accounts of one test alone. */
async function openAccounts(payerName = 'payer') {
  const [payer, payee, frozen] = [unique(payerName), unique('payee'), unique('frozen')];
  const account = { currency: 'EUR', openingBalance: { minor: '10000' } };
  await Promise.all([payer, payee, frozen].map((id) => portico.put(`/v1/accounts/${id}`, account)));
  await portico.post(`/v1/accounts/${frozen}/freeze`, undefined);
  return {
    frozen,
    transferOf: (minor: string, other: object = {}) => ({
      transferId: unique('transfer'),
      from: payer,
      to: payee,
      amount: { currency: 'EUR', minor },
      ...other,
    }),
    balances: (): Promise<number[]> =>
      Promise.all(
        [payer, payee, frozen].map(async (id) => Number((await portico.get(`/v1/accounts/${id}`)).body.balance.minor)),
      ),
  };
}

type Accounts = Awaited<ReturnType<typeof openAccounts>>;
type Transfer = ReturnType<Accounts['transferOf']>;

const pathOf = ({ transferId }: Transfer) => `${path}/${transferId}`;
const forgetTransfer = ({ transferId }: Transfer) => operator.forget(`${portico.tenant}/transfers/${transferId}`);

/** The outcomes of the tenant's listed transfers by id. */
async function outcomesListed(query: string): Promise<Map<string, string | undefined>> {
  const found = new Map<string, string | undefined>();
  for (let cursor = ''; ; ) {
    const { body } = await portico.get(`${path}?limit=100${query.replace('?', '&')}${cursor}`);
    for (const { id, outcome } of body.items) found.set(id, outcome);
    if (body.cursor === undefined) return found;
    cursor = `&cursor=${encodeURIComponent(body.cursor)}`;
  }
}

const reaches = (transfer: Transfer, step: string): Promise<Reply> =>
  until(
    () => portico.get(pathOf(transfer)),
    ({ body }) => body.step === step,
  );

async function awaitingApproval(transfer: Transfer): Promise<Transfer> {
  await portico.post(path, transfer);
  await reaches(transfer, 'awaiting-approval');
  return transfer;
}

/** Each way to end, with how to get there. */
const endings: [string, (accounts: Accounts) => Promise<[Transfer, Reply]>][] = [
  [
    'completed',
    async ({ transferOf }) => {
      const transfer = transferOf('7');
      return [transfer, await portico.post(path, transfer, wait)];
    },
  ],
  [
    'completed after an approval',
    async ({ transferOf }) => {
      const transfer = await awaitingApproval(transferOf('1001'));
      return [transfer, await portico.post(`${pathOf(transfer)}/approve`, {}, bob)];
    },
  ],
  [
    'rejected by a second person',
    async ({ transferOf }) => {
      const transfer = await awaitingApproval(transferOf('1001', { reference: 'rent' }));
      return [transfer, await portico.post(`${pathOf(transfer)}/reject`, { note: 'no' }, bob)];
    },
  ],
  [
    'rejected by the ledger',
    async ({ transferOf }) => {
      const transfer = transferOf('7', { to: 'absent' });
      return [transfer, await portico.post(path, transfer, wait)];
    },
  ],
  [
    'compensated',
    async ({ transferOf, frozen }) => {
      const transfer = transferOf('7', { to: frozen });
      return [transfer, await portico.post(path, transfer, wait)];
    },
  ],
  [
    'cancelled',
    async ({ transferOf }) => {
      const transfer = await awaitingApproval(transferOf('1001', { requestedBy: 'carol' }));
      return [transfer, await portico.post(`${pathOf(transfer)}/cancel`, {}, wait)];
    },
  ],
];

describe.concurrent('a transfer that ended and that Temporal has forgotten', () => {
  it.each(endings)('%s, ends so again for the same payload, by whomever, and moves nothing', async (_, arrange) => {
    const accounts = await openAccounts();
    const { balances } = accounts;
    const [transfer, first] = await arrange(accounts);
    expect([first.status, first.body.status]).toEqual([200, 'closed']);
    const before = await balances();
    await forgetTransfer(transfer);
    expect((await portico.get(pathOf(transfer))).status).toBe(404);

    const again = await portico.post(path, transfer, { ...wait, subject: 'relay-2' });
    expect([again.status, again.headers.get('idempotency-status')]).toEqual([200, 'created']);
    expect(again.body.runId).not.toBe(first.body.runId);
    expect(again.body.result).toEqual(first.body.result);
    expect(await balances()).toEqual(before);
    const repeated = await portico.post(path, transfer);
    expect(repeated.headers.get('idempotency-status')).toBe('replayed');
  });

  it.each([
    ['amount', { amount: { currency: 'EUR', minor: '8' } }],
    ['payee', { to: 'somebody' }],
    ['reference', { reference: 'other' }],
    ['person asked for', { requestedBy: 'carol' }],
    ['amount, above the limit', { amount: { currency: 'EUR', minor: '1001' } }],
  ])('is in conflict with another %s, and still answers its own payload', async (_, other) => {
    const { transferOf, balances } = await openAccounts();
    const transfer = transferOf('7');
    const { body: first } = await portico.post(path, transfer, wait);
    const before = await balances();
    await forgetTransfer(transfer);

    const conflicting = { ...transfer, ...other };
    const conflict = await portico.post(path, conflicting, wait);
    expect([conflict.status, conflict.headers.get('idempotency-status')]).toEqual([200, 'created']);
    const { transferId, amount } = conflicting;
    expect(conflict.body.result).toEqual({ outcome: 'conflict', transferId, amount });
    expect(await balances()).toEqual(before);

    // For Temporal the later payload is the known one now; for the ledger, and so for callers, it is the first for ever.
    const again = await portico.post(path, transfer, { subject: 'relay-2' });
    expect([again.status, again.headers.get('idempotency-status')]).toEqual([200, 'replayed']);
    expect(again.body).toMatchObject({ status: 'closed', outcome: 'completed', result: first.result });
    expect(again.body.runId).toBeUndefined();
    const { body: shown } = await portico.get(pathOf(transfer));
    expect(shown).toMatchObject({ status: 'closed', outcome: 'completed' });
    expect(shown.runId).toBeUndefined();
    expect((await portico.get(`${pathOf(transfer)}/result`)).body.result).toEqual(first.result);
    expect((await outcomesListed('')).get(transferId)).toBe('completed');
    expect((await outcomesListed('?outcome=conflict')).get(transferId)).toBeUndefined();
    const wrongAgain = await portico.post(path, conflicting, wait);
    expect([wrongAgain.headers.get('idempotency-status'), wrongAgain.body.outcome]).toEqual(['replayed', 'conflict']);
    expect((await portico.post(path, { ...transfer, reference: 'a third one' })).status).toBe(422);
    expect(await balances()).toEqual(before);
  });

  it('is begun anew once, however many ask at once', async () => {
    const { transferOf, balances } = await openAccounts();
    const transfer = transferOf('7');
    await portico.post(path, transfer, wait);
    const before = await balances();
    await forgetTransfer(transfer);
    const replies = await Promise.all(Array.from({ length: 32 }, () => portico.post(path, transfer, wait)));
    expect(replies.filter(({ headers }) => headers.get('idempotency-status') === 'created')).toHaveLength(1);
    expect(new Set(replies.map(({ body }) => body.outcome))).toEqual(new Set(['completed']));
    expect(await balances()).toEqual(before);
  });
});

describe.concurrent('a transfer that was lost before its end', () => {
  it('waits for its second person again, who is neither the first starter nor the present one', async () => {
    const { transferOf, balances } = await openAccounts();
    const transfer = await awaitingApproval(transferOf('1001'));
    await forgetTransfer(transfer);
    const again = await portico.post(path, transfer, { subject: 'relay-2' });
    expect(again.headers.get('idempotency-status')).toBe('created');
    await reaches(transfer, 'awaiting-approval');
    for (const subject of ['alice', 'relay-2']) {
      const refused = await portico.post(`${pathOf(transfer)}/approve`, {}, { subject });
      expect([refused.status, refused.body.code]).toEqual([403, 'second-person-required']);
    }
    const approved = await portico.post(`${pathOf(transfer)}/approve`, {}, bob);
    expect(approved.body.outcome).toBe('completed');
    expect(await balances()).toEqual([8_999, 11_001, 10_000]);
  });

  it('goes on where its money is, once its payer can take it back', async () => {
    const { transferOf, balances, frozen } = await openAccounts(`payer-${freezing}`);
    const { from } = transferOf('1');
    const stuck = await stuckTransfer(portico, { from, to: frozen });
    expect(await balances()).toEqual([9_999, 10_000, 10_000]);
    await forgetTransfer(stuck);
    const again = await portico.post(path, stuck, { subject: 'relay-2' });
    expect(again.headers.get('idempotency-status')).toBe('created');
    await reaches(stuck, 'compensation-stuck');
    expect(await balances()).toEqual([9_999, 10_000, 10_000]);
    await portico.post(`/v1/accounts/${from}/unfreeze`, undefined);
    await portico.post(`${pathOf(stuck)}/resolve`, { how: 'retry' });
    const { body } = await closed(portico, pathOf(stuck));
    expect(body.outcome).toBe('compensated');
    expect(await balances()).toEqual([10_000, 10_000, 10_000]);
  });
});

it('whose id another payload has taken is answered by one request to Temporal', async () => {
  const transfer = await awaitingApproval((await openAccounts()).transferOf('1001'));
  await forgetTransfer(transfer);
  await portico.post(path, { ...transfer, reference: 'other' }, wait);
  const before = await temporalRequests(portico.adminUrl);
  const again = await portico.post(path, transfer, wait);
  const after = await temporalRequests(portico.adminUrl);
  expect([again.status, again.headers.get('idempotency-status'), again.body.step]).toEqual([
    202,
    'joined',
    'interrupted',
  ]);
  const asked = ['StartWorkflowExecution', 'DescribeWorkflowExecution', 'GetWorkflowExecutionHistory'];
  expect(asked.map((method) => (after[method] ?? 0) - (before[method] ?? 0))).toEqual([1, 0, 0]);
  expect((await portico.get(`${pathOf(transfer)}/result`, wait)).status).toBe(202);
  await forgetTransfer(transfer);
  await awaitingApproval(transfer);
  expect((await portico.post(`${pathOf(transfer)}/cancel`, {}, wait)).body.outcome).toBe('cancelled');
});

// Last: it stops Portico, to look into its books without it.
it('at rest the books hold what was moved, once', async () => {
  await portico.stop();
  const { findings, outcomes, balances } = await reportEmbedded(stateDir, portico.tenant);
  expect(findings).toEqual([]);
  expect([...outcomes.values()].filter((outcome) => outcome === null)).toEqual([]);
  const gain = (name: string) =>
    [...balances]
      .filter(([id]) => id.startsWith(`${name}-`))
      .reduce((sum, [, balance]) => sum + Number(balance) - 10_000, 0);
  // One plain transfer, the five that were in conflict later, the one of many; and two above the limit.
  expect([gain('payee'), gain('payer'), gain('frozen')]).toEqual([7 * 7 + 2 * 1_001, -7 * 7 - 2 * 1_001, 0]);
});
