import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freezing, layFreezing, returnStuck, stuckTransfer } from '../fixtures/stuck-transfers.ts';
import { withKey } from '../fixtures/transfers.ts';
import type { Reply, RequestOptions } from '../harness/caller.ts';
import { insist } from '../harness/insist.ts';
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
    startPortico({ stateDir, environment: { PORTICO_TRANSFERS_APPROVAL_LIMITS: 'EUR:1000' } }),
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
const bob = { subject: 'bob' };
const wait = { headers: { prefer: 'wait=20' } };

/** Asks as patiently as callers do: a slow machine may leave a request without an answer in time. */
const post = (to: string, body: unknown, given?: RequestOptions) => insist(() => portico.post(to, body, given));
const put = (to: string, body: unknown) => insist(() => portico.put(to, body));

/** Accounts of one test alone. */
async function openAccounts(payerName = 'payer') {
  const [payer, payee, frozen] = [unique(payerName), unique('payee'), unique('frozen')];
  const account = { currency: 'EUR', openingBalance: { minor: '10000' } };
  await Promise.all([payer, payee, frozen].map((id) => put(`/v1/accounts/${id}`, account)));
  await post(`/v1/accounts/${frozen}/freeze`, undefined);
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
  for (let cursor = ''; ;) {
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

/** Starts a transfer and asks until it has ended; `began` is what the start was called, where no answer was lost. */
async function run(transfer: Transfer & { readonly reference?: string }, given: RequestOptions = {}) {
  const seen: { began?: string | null | undefined; isDoubtful: boolean } = { isDoubtful: false };
  const ask = async () => {
    const reply = await insist(
      () => portico.post(path, transfer, { ...wait, ...given }),
      () => (seen.isDoubtful = true),
    );
    seen.began ??= seen.isDoubtful ? 'in doubt' : reply.headers.get('idempotency-status');
    return reply;
  };
  const { status, body } = await until(ask, (reply) => reply.status !== 202);
  expect([status, body.status], JSON.stringify(body)).toEqual([200, 'closed']);
  return { began: seen.began, body };
}

const anew = ['created', 'in doubt'];

/** Acts on a transfer, by a key that lets a lost answer be asked for again, and resolves with its result. */
async function act(transfer: Transfer, action: string, body: object, given: RequestOptions = {}) {
  const { status } = await post(`${pathOf(transfer)}/${action}`, body, withKey(given));
  expect(status).toBeLessThan(300);
  const result = await until(
    () => portico.get(`${pathOf(transfer)}/result`, wait),
    (reply) => reply.body.status === 'closed',
  );
  return result.body;
}

async function awaitingApproval(transfer: Transfer): Promise<Transfer> {
  await post(path, transfer);
  await reaches(transfer, 'awaiting-approval');
  return transfer;
}

/** Each way to end, with how to get there. */
const endings: [string, (accounts: Accounts) => Promise<[Transfer, Reply['body']]>][] = [
  [
    'completed',
    async ({ transferOf }) => {
      const transfer = transferOf('7');
      return [transfer, (await run(transfer)).body];
    },
  ],
  [
    'completed after an approval',
    async ({ transferOf }) => {
      const transfer = await awaitingApproval(transferOf('1001'));
      return [transfer, await act(transfer, 'approve', {}, bob)];
    },
  ],
  [
    'rejected by a second person',
    async ({ transferOf }) => {
      const transfer = await awaitingApproval(transferOf('1001', { reference: 'rent' }));
      return [transfer, await act(transfer, 'reject', { note: 'no' }, bob)];
    },
  ],
  [
    'rejected by the ledger',
    async ({ transferOf }) => {
      const transfer = transferOf('7', { to: 'absent' });
      return [transfer, (await run(transfer)).body];
    },
  ],
  [
    'compensated',
    async ({ transferOf, frozen }) => {
      const transfer = transferOf('7', { to: frozen });
      return [transfer, (await run(transfer)).body];
    },
  ],
  [
    'cancelled',
    async ({ transferOf }) => {
      const transfer = await awaitingApproval(transferOf('1001', { requestedBy: 'carol' }));
      return [transfer, await act(transfer, 'cancel', {})];
    },
  ],
];

describe.concurrent('a transfer that ended and that Temporal has forgotten', () => {
  it.each(endings)('%s, ends so again for the same payload, by whomever, and moves nothing', async (_, arrange) => {
    const accounts = await openAccounts();
    const { balances } = accounts;
    const [transfer, first] = await arrange(accounts);
    expect(first.status).toBe('closed');
    const before = await balances();
    await forgetTransfer(transfer);
    expect((await portico.get(pathOf(transfer))).status).toBe(404);

    const again = await run(transfer, { subject: 'relay-2' });
    expect(anew).toContain(again.began);
    expect(again.body.runId).not.toBe(first.runId);
    expect(again.body.result).toEqual(first.result);
    expect(await balances()).toEqual(before);
    const repeated = await post(path, transfer);
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
    const { body: first } = await run(transfer);
    const before = await balances();
    await forgetTransfer(transfer);

    const conflicting = { ...transfer, ...other };
    const conflict = await run(conflicting);
    expect(anew).toContain(conflict.began);
    const { transferId, amount } = conflicting;
    expect(conflict.body.result).toEqual({ outcome: 'conflict', transferId, amount });
    expect(await balances()).toEqual(before);

    // For Temporal the later payload is the known one now; for the ledger, and so for callers, it is the first for ever.
    const again = await post(path, transfer, { subject: 'relay-2' });
    expect([again.status, again.headers.get('idempotency-status')]).toEqual([200, 'replayed']);
    expect(again.body).toMatchObject({ status: 'closed', outcome: 'completed', result: first.result });
    expect(again.body.runId).toBeUndefined();
    const { body: shown } = await portico.get(pathOf(transfer));
    expect(shown).toMatchObject({ status: 'closed', outcome: 'completed' });
    expect(shown.runId).toBeUndefined();
    expect((await portico.get(`${pathOf(transfer)}/result`)).body.result).toEqual(first.result);
    expect((await outcomesListed('')).get(transferId)).toBe('completed');
    expect((await outcomesListed('?outcome=conflict')).get(transferId)).toBeUndefined();
    const wrongAgain = await post(path, conflicting, wait);
    expect([wrongAgain.headers.get('idempotency-status'), wrongAgain.body.outcome]).toEqual(['replayed', 'conflict']);
    expect((await post(path, { ...transfer, reference: 'a third one' })).status).toBe(422);
    expect(await balances()).toEqual(before);
  });

  it('is begun anew once, however many ask at once', async () => {
    const { transferOf, balances } = await openAccounts();
    const transfer = transferOf('7');
    await run(transfer);
    const before = await balances();
    await forgetTransfer(transfer);
    const runs = await Promise.all(Array.from({ length: 32 }, () => run(transfer)));
    const [created, doubtful] = anew.map((began) => runs.filter((each) => each.began === began).length);
    // Only where an answer was lost, it may have been the one that would have said so.
    if (doubtful === 0) expect(created).toBe(1);
    else expect(created).toBeLessThanOrEqual(1);
    expect(new Set(runs.map(({ body }) => body.runId as string)).size).toBe(1);
    expect(new Set(runs.map(({ body }) => body.outcome as string))).toEqual(new Set(['completed']));
    expect(await balances()).toEqual(before);
  });
});

describe.concurrent('a transfer that was lost before its end', () => {
  it('waits for its second person again, who is neither the first starter nor the present one', async () => {
    const { transferOf, balances } = await openAccounts();
    const transfer = await awaitingApproval(transferOf('1001'));
    await forgetTransfer(transfer);
    await post(path, transfer, { subject: 'relay-2' });
    await reaches(transfer, 'awaiting-approval');
    for (const subject of ['alice', 'relay-2']) {
      const refused = await post(`${pathOf(transfer)}/approve`, {}, { subject });
      expect([refused.status, refused.body.code]).toEqual([403, 'second-person-required']);
    }
    expect(await act(transfer, 'approve', {}, bob)).toMatchObject({ outcome: 'completed' });
    expect(await balances()).toEqual([8_999, 11_001, 10_000]);
  });

  it('goes on where its money is, once its payer can take it back', async () => {
    const { transferOf, balances, frozen } = await openAccounts(`payer-${freezing}`);
    const { from } = transferOf('1');
    const stuck = await stuckTransfer(portico, { from, to: frozen });
    expect(await balances()).toEqual([9_999, 10_000, 10_000]);
    await forgetTransfer(stuck);
    await post(path, stuck, { subject: 'relay-2' });
    await reaches(stuck, 'compensation-stuck');
    expect(await balances()).toEqual([9_999, 10_000, 10_000]);
    expect((await returnStuck(portico, stuck)).body).toMatchObject({ outcome: 'compensated' });
    expect(await balances()).toEqual([10_000, 10_000, 10_000]);
  });
});

it('whose id another payload has taken is answered by one request to Temporal', async () => {
  const transfer = await awaitingApproval((await openAccounts()).transferOf('1001'));
  await forgetTransfer(transfer);
  await run({ ...transfer, reference: 'other' });
  const before = await temporalRequests(portico.adminUrl);
  const again = await portico.post(path, transfer, wait);
  const after = await temporalRequests(portico.adminUrl);
  expect([again.status, again.headers.get('idempotency-status'), again.body.step]).toEqual([
    202,
    'joined',
    'interrupted',
  ]);
  const asked = ['StartWorkflowExecution', 'DescribeWorkflowExecution', 'GetWorkflowExecutionHistory'];
  expect(asked.map((method) => (after[method] ?? 0) - (before[method] ?? 0))).toEqual([0, 1, 0]);
  expect((await portico.get(`${pathOf(transfer)}/result`, wait)).status).toBe(202);
  await forgetTransfer(transfer);
  await awaitingApproval(transfer);
  expect(await act(transfer, 'cancel', {})).toMatchObject({ outcome: 'cancelled' });
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
