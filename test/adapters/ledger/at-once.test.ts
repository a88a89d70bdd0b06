import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { createLedger, type Ledger } from '../../../src/adapters/ledger/ledger.ts';
import {
  createTransferRecords,
  type TransferAtOnce,
  type TransferOpening,
  type TransferRecords,
} from '../../../src/adapters/ledger/records.ts';
import { openingOf, openTenant, operator } from '../../fixtures/opened-transfer.ts';
import { audit } from '../../harness/audit.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../../servers/database.ts';
import { withClient } from '../../servers/postgres.ts';

const result = { outcome: 'completed', transferId: 'rent-october', amount: { currency: 'EUR', minor: '300' } };

const atOnce = (tenant: string, facts: Partial<TransferOpening> = {}): TransferAtOnce => ({
  ...openingOf(tenant, facts),
  result,
});

const rejectedAs = (reason: string) => ({ kind: 'rejected', reason });

describe.each(databaseKinds)('a transfer at once on %s', (kind) => {
  let test: TestDatabase;
  let records: TransferRecords;
  let ledger: Ledger;
  beforeAll(async () => {
    test = await openTestDatabase(kind);
    records = createTransferRecords(test.database);
    ledger = createLedger(test.database);
  });
  afterAll(() => test.close());

  const accounts = () => createAccounts(test.database);
  const freeze = (tenant: string, accountId: string) => accounts().freezeAccount({ tenant, accountId, by: operator });

  async function balancesOf(tenant: string) {
    const [payer, payee] = await Promise.all(
      ['payer', 'payee'].map((accountId) => accounts().findAccount({ tenant, accountId })),
    );
    return [payer?.balanceMinor, payee?.balanceMinor];
  }

  it('is opened, paid and ended by one call, and answers its result from then on', async () => {
    const tenant = await openTenant(test.database);
    const ended = { state: 'ended', result };
    expect(await records.transferAtOnce(atOnce(tenant))).toEqual(ended);
    expect(await records.transferAtOnce(atOnce(tenant))).toEqual(ended);
    expect(await records.openTransfer(openingOf(tenant))).toEqual(ended);
    expect(await balancesOf(tenant)).toEqual([700n, 300n]);
  });

  it('answers the steps that come after it as one that took every step', async () => {
    const tenant = await openTenant(test.database);
    const key = atOnce(tenant);
    await records.transferAtOnce(key);
    expect(await ledger.withdraw(key)).toEqual({ kind: 'reserved' });
    expect(await ledger.deposit(key)).toEqual({ kind: 'posted' });
    expect(await ledger.refund(key)).toEqual({ kind: 'conflict', with: 'posted' });
    expect(await ledger.settle(key)).toEqual({ kind: 'conflict', with: 'posted' });
    expect(await records.endTransfer({ ...key, result: { outcome: 'cancelled' } })).toEqual(result);
    expect(await balancesOf(tenant)).toEqual([700n, 300n]);
  });

  it('takes the last that the payer has', async () => {
    const tenant = await openTenant(test.database);
    expect(await records.transferAtOnce(atOnce(tenant, { amountMinor: 1_000n }))).toMatchObject({ state: 'ended' });
    expect(await balancesOf(tenant)).toEqual([0n, 1_000n]);
  });

  it('is only opened where a second person has to approve it', async () => {
    const tenant = await openTenant(test.database);
    const opening = atOnce(tenant, { approvalRequired: true });
    const open = { state: 'open', approvalRequired: true };
    expect(await records.transferAtOnce(opening)).toMatchObject(open);
    expect(await records.transferAtOnce({ ...opening, approvalRequired: false })).toMatchObject(open);
    expect(await balancesOf(tenant)).toEqual([1_000n, 0n]);
  });

  it.each<{ why: string; facts?: Partial<TransferOpening>; withdrawn: object; frozen?: string }>([
    { why: 'the payer is unknown', facts: { from: 'nobody' }, withdrawn: rejectedAs('account-unknown') },
    { why: 'the payee is unknown', facts: { to: 'nobody' }, withdrawn: rejectedAs('account-unknown') },
    { why: 'the payer has too little', facts: { amountMinor: 1_001n }, withdrawn: rejectedAs('insufficient-funds') },
    { why: 'the currency is another', facts: { currency: 'USD' }, withdrawn: rejectedAs('currency-differs') },
    { why: 'the payer is frozen', frozen: 'payer', withdrawn: rejectedAs('account-frozen') },
    { why: 'the payee is frozen', frozen: 'payee', withdrawn: { kind: 'reserved' } },
  ])('is only opened where $why, and the withdrawal says so', async ({ facts, frozen, withdrawn }) => {
    const tenant = await openTenant(test.database);
    if (frozen !== undefined) await freeze(tenant, frozen);
    const opening = atOnce(tenant, facts);
    expect(await records.transferAtOnce(opening)).toMatchObject({ state: 'open', approvalRequired: false });
    expect(await balancesOf(tenant)).toEqual([1_000n, 0n]);
    expect(await ledger.withdraw(opening)).toEqual(withdrawn);
    await ledger.refund(opening);
  });

  it('moves nothing for a row that another start has opened, also where that was given up', async () => {
    const tenant = await openTenant(test.database);
    const opening = atOnce(tenant);
    await records.openTransfer(opening);
    expect(await records.transferAtOnce(opening)).toMatchObject({ state: 'open' });
    expect(await ledger.refund(opening)).toEqual({ kind: 'voided' });
    expect(await records.transferAtOnce(opening)).toMatchObject({ state: 'open' });
    await records.endTransfer({ ...opening, result: { outcome: 'cancelled' } });
    expect(await records.transferAtOnce(opening)).toEqual({ state: 'ended', result: { outcome: 'cancelled' } });
    expect(await balancesOf(tenant)).toEqual([1_000n, 0n]);
  });

  it('calls the same id for another transfer a conflict, whether that one has ended or not', async () => {
    const tenant = await openTenant(test.database);
    await records.openTransfer(openingOf(tenant, { transferId: 'open' }));
    await records.transferAtOnce(atOnce(tenant, { transferId: 'done' }));
    for (const transferId of ['open', 'done']) {
      const other = atOnce(tenant, { transferId, amountMinor: 301n });
      expect(await records.transferAtOnce(other)).toEqual({ state: 'conflict' });
    }
    expect(await balancesOf(tenant)).toEqual([700n, 300n]);
  });

  it('moves the money once, however many ask for it at the same time', async () => {
    const tenant = await openTenant(test.database);
    const answers = await Promise.all(Array.from({ length: 8 }, () => records.transferAtOnce(atOnce(tenant))));
    expect(answers).toEqual(answers.map(() => ({ state: 'ended', result })));
    expect(await balancesOf(tenant)).toEqual([700n, 300n]);
  });

  it('keeps the same id of two tenants apart', async () => {
    const tenants = await Promise.all([openTenant(test.database), openTenant(test.database)]);
    for (const tenant of tenants) {
      const transferId = randomUUID();
      expect(await records.transferAtOnce(atOnce(tenant, { transferId }))).toMatchObject({ state: 'ended' });
      expect(await balancesOf(tenant)).toEqual([700n, 300n]);
    }
  });

  // The embedded database has one connection, which the ledger keeps for a while.
  if (kind === 'postgres')
    it('leaves nothing for an auditor to find', async () => {
      expect(await withClient(test.url, (client) => audit(client, { atRest: true }))).toEqual([]);
    });
});
