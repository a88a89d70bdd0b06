import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Accounts, createAccounts } from '../../../src/adapters/ledger/accounts.ts';
import { operator } from '../../fixtures/opened-transfer.ts';
import { databaseKinds, openTestDatabase, type TestDatabase } from '../../servers/database.ts';

describe.each(databaseKinds)('accounts on %s', (kind) => {
  let test: TestDatabase;
  let accounts: Accounts;
  beforeAll(async () => {
    test = await openTestDatabase(kind);
    accounts = createAccounts(test.database);
  });
  afterAll(() => test.close());

  const opening = (facts: object = {}) => ({
    tenant: randomUUID(),
    accountId: 'alice',
    currency: 'EUR',
    openingBalanceMinor: 5_000n,
    ...facts,
  });

  const entriesOf = (tenant: string) =>
    test.database.query<{ account_id: string; amount_minor: bigint }>(
      'select account_id, amount_minor from entries where tenant = $1 order by account_id',
      [tenant],
    );

  it('books the opening balance from the equity account', async () => {
    const alice = opening();
    const { kind: opened, account } = await accounts.openAccount(alice);
    expect(opened).toBe('created');
    expect(account).toMatchObject({ accountId: 'alice', currency: 'EUR', balanceMinor: 5_000n, frozen: false });
    expect(account.openedAt).toBeInstanceOf(Date);
    expect(await entriesOf(alice.tenant)).toEqual([
      { account_id: 'alice', amount_minor: 5_000n },
      { account_id: '~equity:EUR', amount_minor: -5_000n },
    ]);
  });

  it('books nothing for an account that opens empty', async () => {
    const alice = opening({ openingBalanceMinor: 0n });
    expect((await accounts.openAccount(alice)).account.balanceMinor).toBe(0n);
    expect(await entriesOf(alice.tenant)).toEqual([]);
  });

  it('replays the same opening, whatever the balance is by now, and books it once', async () => {
    const alice = opening();
    await accounts.openAccount(alice);
    await accounts.freezeAccount({ ...alice, by: operator });
    const again = await accounts.openAccount(alice);
    expect(again).toMatchObject({ kind: 'replayed', account: { balanceMinor: 5_000n, frozen: true } });
    expect(await entriesOf(alice.tenant)).toHaveLength(2);
  });

  it.each([{ currency: 'USD' }, { openingBalanceMinor: 4_999n }])(
    'calls another opening a conflict: %o',
    async (other) => {
      const alice = opening();
      await accounts.openAccount(alice);
      const again = await accounts.openAccount({ ...alice, ...other });
      expect(again).toMatchObject({ kind: 'conflict', account: { currency: 'EUR', balanceMinor: 5_000n } });
      expect(await entriesOf(alice.tenant)).toHaveLength(2);
    },
  );

  it('opens once when sixteen ask at the same time', async () => {
    const alice = opening();
    const opened = await Promise.all(Array.from({ length: 16 }, () => accounts.openAccount(alice)));
    expect(opened.filter((each) => each.kind === 'created')).toHaveLength(1);
    expect(opened.filter((each) => each.kind === 'replayed')).toHaveLength(15);
    expect(opened.every((each) => each.account.balanceMinor === 5_000n)).toBe(true);
  });

  it('freezes and unfreezes, again and again', async () => {
    const alice = opening();
    await accounts.openAccount(alice);
    expect((await accounts.freezeAccount({ ...alice, by: operator }))?.frozen).toBe(true);
    expect((await accounts.freezeAccount({ ...alice, by: operator }))?.frozen).toBe(true);
    expect((await accounts.unfreezeAccount({ ...alice, by: operator }))?.frozen).toBe(false);
    expect((await accounts.unfreezeAccount({ ...alice, by: operator }))?.frozen).toBe(false);
  });

  it('keeps who froze and unfroze it, when, and why; the first of several stands', async () => {
    const alice = opening();
    await accounts.openAccount(alice);
    expect(await accounts.findAccount(alice)).toMatchObject({ frozen: false, frozenBy: undefined });
    const other = { ...operator, sub: 'somebody-else' };
    const frozen = await accounts.freezeAccount({ ...alice, by: operator, note: 'fraud report 7' });
    expect(frozen?.frozenBy).toEqual({ by: operator, at: expect.any(Date), note: 'fraud report 7' });
    expect(await accounts.freezeAccount({ ...alice, by: other })).toEqual(frozen);
    expect(await accounts.unfreezeAccount({ ...alice, by: other })).toMatchObject({ frozenBy: undefined });
    await accounts.unfreezeAccount({ ...alice, by: operator });
    expect((await accounts.freezeAccount({ ...alice, by: other }))?.frozenBy).toMatchObject({ by: other });
    const rows = await test.database.query(
      'select frozen, by_sub, note from account_freezes where tenant = $1 order by position',
      [alice.tenant],
    );
    expect(rows).toEqual([
      { frozen: true, by_sub: 'operator', note: 'fraud report 7' },
      { frozen: false, by_sub: 'somebody-else', note: null },
      { frozen: true, by_sub: 'somebody-else', note: null },
    ]);
  });

  it('is frozen once when sixteen ask at the same time', async () => {
    const alice = opening();
    await accounts.openAccount(alice);
    const frozen = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        accounts.freezeAccount({ ...alice, by: { ...operator, sub: `operator-${index}` } }),
      ),
    );
    expect(frozen.every((each) => each?.frozen)).toBe(true);
    expect(new Set(frozen.map((each) => each?.frozenBy?.by.sub)).size).toBe(1);
  });

  it("knows neither absent accounts, another tenant's, nor its own internal ones", async () => {
    const alice = opening();
    await accounts.openAccount(alice);
    const others = [
      { tenant: alice.tenant, accountId: 'bob' },
      { tenant: randomUUID(), accountId: 'alice' },
      { tenant: alice.tenant, accountId: '~equity:EUR' },
    ];
    for (const other of others) {
      expect(await accounts.findAccount(other)).toBeUndefined();
      expect(await accounts.freezeAccount({ ...other, by: operator })).toBeUndefined();
      expect(await accounts.unfreezeAccount({ ...other, by: operator })).toBeUndefined();
    }
    expect((await accounts.findAccount(alice))?.balanceMinor).toBe(5_000n);
  });

  it('keeps amounts above 2^53 exact', async () => {
    const alice = opening({ openingBalanceMinor: 9_007_199_254_740_993n });
    await accounts.openAccount(alice);
    expect((await accounts.findAccount(alice))?.balanceMinor).toBe(9_007_199_254_740_993n);
  });

  it('has no name for a caller to open an internal account by', async () => {
    await expect(accounts.openAccount(opening({ accountId: '~clearing:EUR' }))).rejects.toMatchObject({
      code: '23514',
    });
  });
});
