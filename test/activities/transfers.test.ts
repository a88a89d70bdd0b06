import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTransferActivities } from '../../activities/transfers.ts';
import { createAccounts } from '../../src/adapters/ledger/accounts.ts';
import { createLedger } from '../../src/adapters/ledger/ledger.ts';
import { createTransferRecords } from '../../src/adapters/ledger/records.ts';
import { createSettlements } from '../../src/adapters/ledger/settlements.ts';
import { transferSettings } from '../../src/catalog/transfer-settings.ts';
import { settingsWith } from '../harness/settings.ts';
import { openTestDatabase, type TestDatabase } from '../servers/database.ts';

const tenant = 'acme';
const startedBy = { iss: 'https://issuer.test', sub: 'alice' };
let storage: TestDatabase;

beforeAll(async () => {
  storage = await openTestDatabase('embedded');
});
afterAll(() => storage.close());

const activitiesWith = ({ approvalLimitMinor }: { approvalLimitMinor: bigint }) =>
  createTransferActivities({
    ledger: createLedger(storage.database),
    transferRecords: createTransferRecords(storage.database),
    settlements: createSettlements(storage.database),
    settingsOf: settingsWith(transferSettings, {
      approvalLimits: new Map([['EUR', approvalLimitMinor]]),
      settleApproval: 'single',
      approvalTimeout: 1_000,
    }),
  });

/** A transfer of 1,250 minor units between two accounts of its own, not opened yet. */
async function createOrder() {
  const accounts = createAccounts(storage.database);
  const transferId = randomUUID();
  const [from, to] = [`from-${transferId}`, `to-${transferId}`];
  await accounts.openAccount({ tenant, accountId: from, currency: 'EUR', openingBalanceMinor: 2_000n });
  await accounts.openAccount({ tenant, accountId: to, currency: 'EUR', openingBalanceMinor: 0n });
  const input = { transferId, from, to, amount: { currency: 'EUR', minor: '1250' } };
  return { accounts, order: { tenant, transferId, input, startedBy, fingerprint: `f1.${transferId}` } };
}

describe('openTransfer', () => {
  it.each([
    [1_250n, 'not-required'],
    [1_249n, 'required'],
  ])('with a limit of %s says that approval is %s', async (approvalLimitMinor, approval) => {
    const { order } = await createOrder();
    const opening = await activitiesWith({ approvalLimitMinor }).openTransfer(order);
    expect(opening).toEqual({ state: 'open', approval, approvalTimeoutMs: 1_000, firstStartedBy: startedBy });
  });

  it('requires approval in a currency without a limit, however small the amount', async () => {
    const { order } = await createOrder();
    const activities = createTransferActivities({
      ledger: createLedger(storage.database),
      transferRecords: createTransferRecords(storage.database),
      settlements: createSettlements(storage.database),
      settingsOf: settingsWith(transferSettings, {
        approvalLimits: new Map([['USD', 1_000_000n]]),
        settleApproval: 'single',
        approvalTimeout: 1_000,
      }),
    });
    expect(await activities.openTransfer(order)).toMatchObject({ approval: 'required' });
  });

  it('keeps to the limit of the first time', async () => {
    const { order } = await createOrder();
    await activitiesWith({ approvalLimitMinor: 1_249n }).openTransfer(order);
    const opening = await activitiesWith({ approvalLimitMinor: 10_000n }).openTransfer(order);
    expect(opening).toMatchObject({ approval: 'required' });
  });

  it('knows an approval that was recorded', async () => {
    const { order } = await createOrder();
    const activities = activitiesWith({ approvalLimitMinor: 0n });
    await activities.openTransfer(order);
    await activities.recordApproval({ ...order, by: { iss: 'https://issuer.test', sub: 'bob' } });
    expect(await activities.openTransfer(order)).toMatchObject({ approval: 'given' });
  });

  it('answers the result of a transfer that has ended, and a conflict for another payload', async () => {
    const { order } = await createOrder();
    const activities = activitiesWith({ approvalLimitMinor: 10_000n });
    await activities.openTransfer(order);
    const result = { outcome: 'expired', transferId: order.transferId, amount: order.input.amount } as const;
    expect(await activities.endTransfer({ ...order, result })).toEqual(result);
    expect(await activities.openTransfer(order)).toEqual({ state: 'ended', result });
    const other = { ...order, input: { ...order.input, amount: { currency: 'EUR', minor: '1300' } } };
    expect(await activities.openTransfer(other)).toEqual({ state: 'conflict' });
  });
});

describe('endTransfer', () => {
  it('answers the first result, whatever comes later', async () => {
    const { order } = await createOrder();
    const activities = activitiesWith({ approvalLimitMinor: 10_000n });
    await activities.openTransfer(order);
    const base = { transferId: order.transferId, amount: order.input.amount };
    await activities.endTransfer({ ...order, result: { ...base, outcome: 'cancelled' } });
    const late = await activities.endTransfer({ ...order, result: { ...base, outcome: 'expired' } });
    expect(late).toEqual({ ...base, outcome: 'cancelled' });
  });
});

describe('refund', () => {
  it('fails as blocked while the payer is frozen, and works afterwards', async () => {
    const { order, accounts } = await createOrder();
    const activities = activitiesWith({ approvalLimitMinor: 10_000n });
    await activities.openTransfer(order);
    expect(await activities.withdraw(order)).toEqual({ kind: 'reserved' });
    await accounts.freezeAccount({ tenant, accountId: order.input.from, by: startedBy });
    await expect(activities.refund(order)).rejects.toMatchObject({ type: 'blocked', nonRetryable: false });
    await accounts.unfreezeAccount({ tenant, accountId: order.input.from, by: startedBy });
    expect(await activities.refund(order)).toEqual({ kind: 'refunded' });
  });
});
