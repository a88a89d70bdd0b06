import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Accounts, createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { createLedger, type Ledger } from '../../../src/adapters/ledger/ledger.ts';
import type { TransferKey } from '../../../src/adapters/ledger/phases.ts';
import { createTransferRecords } from '../../../src/adapters/ledger/records.ts';
import { openTenant, openTransfer, operator } from '../../fixtures/opened-transfer.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../../servers/database.ts';

/** How each state of a transfer's money is reached. */
const ways = {
  opened: [],
  reserved: ['withdraw'],
  rejected: ['withdraw'],
  voided: ['refund'],
  posted: ['withdraw', 'deposit'],
  refunded: ['withdraw', 'refund'],
  settled: ['withdraw', 'settle'],
} as const;

/** Every cell: what each operation answers in each state, and the money of payer, payee, clearing and suspense then. */
const cells = [
  ['opened', 'withdraw', { kind: 'reserved' }, [700, 0, 300, 0]],
  ['opened', 'deposit', { kind: 'refused', reason: 'nothing-reserved' }, [1000, 0, 0, 0]],
  ['opened', 'refund', { kind: 'voided' }, [1000, 0, 0, 0]],
  ['opened', 'settle', { kind: 'nothing-reserved' }, [1000, 0, 0, 0]],
  ['reserved', 'withdraw', { kind: 'reserved' }, [700, 0, 300, 0]],
  ['reserved', 'deposit', { kind: 'posted' }, [700, 300, 0, 0]],
  ['reserved', 'refund', { kind: 'refunded' }, [1000, 0, 0, 0]],
  ['reserved', 'settle', { kind: 'settled' }, [700, 0, 0, 300]],
  ['rejected', 'withdraw', { kind: 'rejected', reason: 'insufficient-funds' }, [1000, 0, 0, 0]],
  ['rejected', 'deposit', { kind: 'refused', reason: 'withdrawal-rejected' }, [1000, 0, 0, 0]],
  ['rejected', 'refund', { kind: 'nothing-reserved' }, [1000, 0, 0, 0]],
  ['rejected', 'settle', { kind: 'nothing-reserved' }, [1000, 0, 0, 0]],
  ['voided', 'withdraw', { kind: 'conflict', with: 'voided' }, [1000, 0, 0, 0]],
  ['voided', 'deposit', { kind: 'refused', reason: 'withdrawal-voided' }, [1000, 0, 0, 0]],
  ['voided', 'refund', { kind: 'voided' }, [1000, 0, 0, 0]],
  ['voided', 'settle', { kind: 'nothing-reserved' }, [1000, 0, 0, 0]],
  ['posted', 'withdraw', { kind: 'reserved' }, [700, 300, 0, 0]],
  ['posted', 'deposit', { kind: 'posted' }, [700, 300, 0, 0]],
  ['posted', 'refund', { kind: 'conflict', with: 'posted' }, [700, 300, 0, 0]],
  ['posted', 'settle', { kind: 'conflict', with: 'posted' }, [700, 300, 0, 0]],
  ['refunded', 'withdraw', { kind: 'reserved' }, [1000, 0, 0, 0]],
  ['refunded', 'deposit', { kind: 'conflict', with: 'refunded' }, [1000, 0, 0, 0]],
  ['refunded', 'refund', { kind: 'refunded' }, [1000, 0, 0, 0]],
  ['refunded', 'settle', { kind: 'conflict', with: 'refunded' }, [1000, 0, 0, 0]],
  ['settled', 'withdraw', { kind: 'reserved' }, [700, 0, 0, 300]],
  ['settled', 'deposit', { kind: 'conflict', with: 'settled' }, [700, 0, 0, 300]],
  ['settled', 'refund', { kind: 'conflict', with: 'settled' }, [700, 0, 0, 300]],
  ['settled', 'settle', { kind: 'settled' }, [700, 0, 0, 300]],
] as const;

describe.each(databaseKinds)('the ledger on %s', (kind) => {
  let test: TestDatabase;
  let ledger: Ledger;
  let accounts: Accounts;
  let tenant: string;
  beforeAll(async () => {
    test = await openTestDatabase(kind);
    ledger = createLedger(test.database);
    accounts = createAccounts(test.database);
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    tenant = await openTenant(test.database);
  });

  /** The sums of the entries, and that the cached balances say the same. */
  async function moneyOf(): Promise<number[]> {
    const rows = await test.database.query<{ account_id: string; sum: string; balance_minor: bigint | null }>(
      `select account_id, balance_minor, (select coalesce(sum(amount_minor), 0)::text from entries e
         where e.tenant = a.tenant and e.account_id = a.account_id) as sum from accounts a where tenant = $1`,
      [tenant],
    );
    const sums = new Map(rows.map((row) => [row.account_id, row]));
    return ['payer', 'payee', '~clearing:EUR', '~suspense:EUR'].map((accountId) => {
      const row = sums.get(accountId);
      if (!accountId.startsWith('~')) expect(String(row?.balance_minor)).toBe(row?.sum);
      return Number(row?.sum);
    });
  }

  it.each(cells)('%s: %s answers %o', async (state, operation, answer, money) => {
    const key = await openTransfer(test.database, tenant, { amountMinor: state === 'rejected' ? 1_001n : 300n });
    for (const step of ways[state]) await ledger[step](key);
    expect(await ledger[operation](key)).toEqual(answer);
    expect(await moneyOf()).toEqual(money);
    // Whatever was answered is answered again, and moves nothing again. A refusal alone leaves no trace.
    expect(await ledger[operation](key)).toEqual(answer);
    expect(await moneyOf()).toEqual(money);
  });

  it.each([
    ['the payer is absent', { from: 'nobody' }, 'account-unknown'],
    ['the payee is absent', { to: 'nobody' }, 'account-unknown'],
    ['the payer has another currency', { from: 'dollars' }, 'currency-differs'],
    ['the payee has another currency', { to: 'dollars' }, 'currency-differs'],
    ['the payer is frozen', { from: 'frozen' }, 'account-frozen'],
    ['the payer has one unit too little', { amountMinor: 1_001n }, 'insufficient-funds'],
  ])('rejects a withdrawal for good when %s', async (_, facts, reason) => {
    await accounts.openAccount({ tenant, accountId: 'dollars', currency: 'USD', openingBalanceMinor: 1_000n });
    await accounts.openAccount({ tenant, accountId: 'frozen', currency: 'EUR', openingBalanceMinor: 1_000n });
    await accounts.freezeAccount({ tenant, accountId: 'frozen', by: operator });
    const key = await openTransfer(test.database, tenant, facts);
    expect(await ledger.withdraw(key)).toEqual({ kind: 'rejected', reason });
    await accounts.openAccount({ tenant, accountId: 'nobody', currency: 'EUR', openingBalanceMinor: 1_000n });
    await accounts.unfreezeAccount({ tenant, accountId: 'frozen', by: operator });
    expect(await ledger.withdraw(key)).toEqual({ kind: 'rejected', reason });
    expect(await moneyOf()).toEqual([1000, 0, 0, 0]);
  });

  it('takes the last unit', async () => {
    const key = await openTransfer(test.database, tenant, { amountMinor: 1_000n });
    expect(await ledger.withdraw(key)).toEqual({ kind: 'reserved' });
    expect(await moneyOf()).toEqual([0, 0, 1000, 0]);
  });

  it('withdraws for a frozen payee, refuses the deposit without a trace, and can refund or deposit later', async () => {
    await accounts.freezeAccount({ tenant, accountId: 'payee', by: operator });
    const key = await openTransfer(test.database, tenant);
    expect(await ledger.withdraw(key)).toEqual({ kind: 'reserved' });
    expect(await ledger.deposit(key)).toEqual({ kind: 'refused', reason: 'account-frozen' });
    expect(await moneyOf()).toEqual([700, 0, 300, 0]);
    await accounts.unfreezeAccount({ tenant, accountId: 'payee', by: operator });
    expect(await ledger.deposit(key)).toEqual({ kind: 'posted' });
    expect(await moneyOf()).toEqual([700, 300, 0, 0]);
  });

  it('is blocked from refunding a frozen payer until it is unfrozen', async () => {
    const key = await openTransfer(test.database, tenant);
    await ledger.withdraw(key);
    await accounts.freezeAccount({ tenant, accountId: 'payer', by: operator });
    expect(await ledger.refund(key)).toEqual({ kind: 'blocked', reason: 'account-frozen' });
    expect(await moneyOf()).toEqual([700, 0, 300, 0]);
    await accounts.unfreezeAccount({ tenant, accountId: 'payer', by: operator });
    expect(await ledger.refund(key)).toEqual({ kind: 'refunded' });
    expect(await moneyOf()).toEqual([1000, 0, 0, 0]);
  });

  it('settles what cannot be refunded, and refunds it no more', async () => {
    const key = await openTransfer(test.database, tenant);
    await ledger.withdraw(key);
    await accounts.freezeAccount({ tenant, accountId: 'payer', by: operator });
    await ledger.refund(key);
    expect(await ledger.settle(key)).toEqual({ kind: 'settled' });
    await accounts.unfreezeAccount({ tenant, accountId: 'payer', by: operator });
    expect(await ledger.refund(key)).toEqual({ kind: 'conflict', with: 'settled' });
  });

  it('takes no money for a transfer that has ended', async () => {
    const key = await openTransfer(test.database, tenant);
    await createTransferRecords(test.database).endTransfer({ ...key, result: { outcome: 'expired' } });
    expect(await ledger.withdraw(key)).toEqual({ kind: 'conflict', with: 'ended' });
    expect(await moneyOf()).toEqual([1000, 0, 0, 0]);
  });

  it("moves nothing of another tenant's accounts of the same names", async () => {
    await ledger.withdraw(await openTransfer(test.database, await openTenant(test.database)));
    expect(await moneyOf()).toEqual([1000, 0, 0, 0]);
  });

  it('fails for a transfer that was never opened', async () => {
    const key: TransferKey = { tenant, transferId: 'never' };
    for (const operation of ['withdraw', 'deposit', 'refund', 'settle'] as const)
      await expect(ledger[operation](key)).rejects.toThrow();
  });

  describe('refuses, in the database itself,', () => {
    it.each([
      ['an entry changed', 'update entries set amount_minor = amount_minor + 1 where tenant = $1', 'permanent'],
      ['an entry deleted', 'delete from entries where tenant = $1', 'permanent'],
      ['entries truncated', 'truncate entries', 'permanent'],
      [
        'a phase changed',
        "update transfer_phases set outcome = 'rejected', reason = 'x' where tenant = $1",
        'permanent',
      ],
      ['a phase deleted', 'delete from transfer_phases where tenant = $1', 'permanent'],
      ['an account deleted', 'delete from accounts where tenant = $1', 'permanent'],
      ['the currency of an account changed', "update accounts set currency = 'USD' where tenant = $1", 'permanent'],
      ['a negative balance', 'update accounts set balance_minor = -1 where tenant = $1', 'by entries alone'],
      [
        'a one-sided posting',
        "insert into entries (tenant, posting_id, account_id, currency, amount_minor) values ($1, 'p', 'payer', 'EUR', 1)",
        'sum to zero',
      ],
      [
        'an entry in another currency than its account',
        "insert into entries (tenant, posting_id, account_id, currency, amount_minor) values ($1, 'p', 'payer', 'USD', 1)",
        'foreign key',
      ],
      [
        'an entry on an internal account of another currency',
        "insert into entries (tenant, posting_id, account_id, currency, amount_minor) values ($1, 'p', '~clearing:USD', 'EUR', 1)",
        'check constraint',
      ],
      [
        'a resolve without a reserve',
        "insert into transfer_phases (tenant, transfer_id, phase, outcome) values ($1, 'other', 'resolve', 'posted')",
        'foreign key',
      ],
    ])('%s', async (_, statement, message) => {
      await ledger.withdraw(await openTransfer(test.database, tenant));
      await openTransfer(test.database, tenant, { transferId: 'other' });
      await expect(test.database.query(statement, statement.includes('$1') ? [tenant] : [])).rejects.toThrow(message);
      expect(await moneyOf()).toEqual([700, 0, 300, 0]);
    });
  });
});
