import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Accounts, createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { createLedger } from '../../../src/adapters/ledger/ledger.ts';
import { createSettlements } from '../../../src/adapters/ledger/settlements.ts';
import { createSuspense, type Suspense } from '../../../src/adapters/ledger/suspense.ts';
import { openTenant, openTransfer } from '../../fixtures/opened-transfer.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../../servers/database.ts';

const alice = { iss: 'https://issuer.test', sub: 'alice' };
const bob = { iss: 'https://issuer.test', sub: 'bob' };
const settlement = { note: 'paid out in cash', settledBy: alice };

describe.each(databaseKinds)('suspense on %s', (kind) => {
  let test: TestDatabase;
  let suspense: Suspense;
  let accounts: Accounts;
  let tenant: string;
  let order: { tenant: string; transferId: string; to: string; note: string; by: typeof alice };
  beforeAll(async () => {
    test = await openTestDatabase(kind);
    suspense = createSuspense(test.database);
    accounts = createAccounts(test.database);
  });
  afterAll(() => test.close());
  beforeEach(async () => {
    tenant = await openTenant(test.database);
    order = { ...(await settledOf('rent')), to: 'payee', note: 'found the owner', by: alice };
  });

  async function settledOf(transferId: string) {
    const key = await openTransfer(test.database, tenant, { transferId });
    const ledger = createLedger(test.database);
    await ledger.withdraw(key);
    await ledger.settle({ ...key, settlement });
    return key;
  }

  const balanceOf = async (accountId: string) => (await accounts.findAccount({ tenant, accountId }))?.balanceMinor;

  async function inSuspense(): Promise<bigint | undefined> {
    const [row] = await test.database.query<{ sum: bigint }>(
      `select coalesce(sum(amount_minor), 0)::bigint as sum from entries where tenant = $1 and account_id = '~suspense:EUR'`,
      [tenant],
    );
    return row?.sum;
  }

  const held = async () => (await suspense.listHeld({ tenant, limit: 10 })).items;

  it('keeps who settled, and why', async () => {
    expect(await createSettlements(test.database).findSettlement(order)).toEqual({
      note: settlement.note,
      settledBy: alice.sub,
    });
    expect(await held()).toMatchObject([
      { transferId: 'rent', payer: 'payer', payee: 'payee', amountMinor: 300n, settledBy: alice.sub },
    ]);
  });

  it('releases once, and answers a repetition alike, whoever repeats', async () => {
    const first = await suspense.release(order);
    expect(first).toMatchObject({ kind: 'released', release: { to: 'payee', amountMinor: 300n, releasedBy: alice } });
    expect(await suspense.release({ ...order, by: bob })).toEqual(first);
    expect(await suspense.release({ ...order, note: 'another' })).toEqual({ kind: 'conflict' });
    expect(await suspense.release({ ...order, to: 'payer' })).toEqual({ kind: 'conflict' });
    expect([await balanceOf('payer'), await balanceOf('payee'), await inSuspense()]).toEqual([700n, 300n, 0n]);
    expect(await held()).toEqual([]);
  });

  it('releases once of many at once', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => suspense.release(order)));
    expect(new Set(answers.map(({ kind: answer }) => answer))).toEqual(new Set(['released']));
    expect([await balanceOf('payee'), await inSuspense()]).toEqual([300n, 0n]);
  });

  it('refuses an account that does not take the money, and stays able to release', async () => {
    await accounts.openAccount({ tenant, accountId: 'dollars', currency: 'USD', openingBalanceMinor: 0n });
    const freeze = { tenant, accountId: 'payee', by: alice };
    await accounts.freezeAccount(freeze);
    for (const how of ['release', 'propose'] as const) {
      expect(await suspense[how]({ ...order, to: 'nobody' })).toEqual({ kind: 'refused', reason: 'account-unknown' });
      expect(await suspense[how]({ ...order, to: 'dollars' })).toEqual({ kind: 'refused', reason: 'currency-differs' });
      expect(await suspense[how](order)).toEqual({ kind: 'refused', reason: 'account-frozen' });
    }
    expect(await suspense.release({ ...order, to: 'payer' })).toMatchObject({ kind: 'released' });
  });

  it('releases nothing that was not settled, and nothing of another tenant', async () => {
    const open = await openTransfer(test.database, tenant, { transferId: 'open' });
    const foreign = { ...order, tenant: await openTenant(test.database) };
    for (const other of [{ ...order, ...open }, foreign]) {
      expect(await suspense.release(other)).toEqual({ kind: 'absent' });
      expect(await suspense.propose(other)).toEqual({ kind: 'absent' });
      expect(await suspense.confirm({ ...other, proposal: 1 })).toEqual({ kind: 'absent' });
    }
  });

  it('releases what one proposes and another confirms', async () => {
    const proposed = await suspense.propose(order);
    expect(proposed).toMatchObject({ kind: 'proposed', proposal: { number: 1, to: 'payee', proposedBy: alice } });
    expect(await suspense.propose(order)).toEqual(proposed);
    expect(await held()).toMatchObject([{ proposal: { number: 1, note: order.note } }]);
    const confirmation = { tenant, transferId: 'rent', proposal: 1 };
    expect(await suspense.confirm({ ...confirmation, by: alice })).toEqual({ kind: 'same-person' });
    expect(await inSuspense()).toBe(300n);
    const first = await suspense.confirm({ ...confirmation, by: bob });
    expect(first).toMatchObject({ kind: 'released', release: { releasedBy: alice, confirmedBy: bob } });
    expect(await suspense.confirm({ ...confirmation, by: bob })).toEqual(first);
    expect(await suspense.confirm({ ...confirmation, by: alice, proposal: 2 })).toEqual({ kind: 'superseded' });
    expect(await suspense.propose(order)).toEqual(first);
    expect(await balanceOf('payee')).toBe(300n);
  });

  it('confirms the newest proposal only', async () => {
    await suspense.propose(order);
    expect(await suspense.propose({ ...order, to: 'payer' })).toMatchObject({ proposal: { number: 2, to: 'payer' } });
    const confirmation = { tenant, transferId: 'rent', by: bob };
    expect(await suspense.confirm({ ...confirmation, proposal: 1 })).toEqual({ kind: 'superseded' });
    expect(await suspense.confirm({ ...confirmation, proposal: 2 })).toMatchObject({ release: { to: 'payer' } });
    expect(await balanceOf('payer')).toBe(1_000n);
  });

  it('lists in pages', async () => {
    await settledOf('rent-2');
    const first = await suspense.listHeld({ tenant, limit: 1 });
    expect([first.items[0]?.transferId, first.next]).toEqual(['rent', 'rent']);
    const second = await suspense.listHeld({ tenant, limit: 1, after: first.next });
    expect([second.items[0]?.transferId, second.next]).toEqual(['rent-2', undefined]);
  });

  describe('refuses, in the database itself,', () => {
    const released = (amount: number, account = 'payee') =>
      `insert into suspense_releases (tenant, transfer_id, account_id, currency, amount_minor, note, released_by_iss, released_by_sub)
       values ($1, 'rent', '${account}', 'EUR', ${amount}, 'x', 'x', 'x')`;
    const posted = (amount: number, account = 'payee') =>
      `with moved as (
         update accounts set balance_minor = balance_minor + ${amount} where tenant = $1 and account_id = '${account}')
       insert into entries (tenant, posting_id, account_id, currency, amount_minor) values
       ($1, 'transfer/rent/release', '~suspense:EUR', 'EUR', ${-amount}),
       ($1, 'transfer/rent/release', '${account}', 'EUR', ${amount})`;

    it.each([
      ['a release without its posting', [released(300)]],
      ['a posting without its release', [posted(300)]],
      ['a release of more than was settled', [released(400), posted(400)]],
      ['a posting of another amount', [released(300), posted(200)]],
      ['a posting to another account', [released(300), posted(300, 'payer')]],
    ])('%s', async (_, statements) => {
      const broken = test.database.transaction(async (tx) => {
        for (const statement of statements) await tx.query(statement, [tenant]);
      });
      await expect(broken).rejects.toMatchObject({ code: expect.stringMatching(/^(23514|23001)$/) });
      expect(await inSuspense()).toBe(300n);
    });

    it.each(['settlements', 'suspense_releases', 'suspense_proposals'])('a change of %s', async (table) => {
      for (const statement of [`update ${table} set note = 'x'`, `delete from ${table}`])
        await expect(test.database.query(statement)).rejects.toThrow('permanent');
    });

    it('a settlement of money that was not settled', async () => {
      await openTransfer(test.database, tenant, { transferId: 'open' });
      const stray = test.database.query(
        `insert into settlements (tenant, transfer_id, note) values ($1, 'open', 'x')`,
        [tenant],
      );
      await expect(stray).rejects.toMatchObject({ code: '23503' });
    });
  });
});
