import type { Database, Queryable } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import { openInternalAccounts, postToCustomer } from './postings.ts';

export interface Account {
  readonly tenant: string;
  readonly accountId: string;
  /** ISO 4217. */
  readonly currency: string;
  /** Minor units. */
  readonly balanceMinor: bigint;
  /** A frozen account neither gives nor receives. */
  readonly frozen: boolean;
  readonly openedAt: Date;
}

interface AccountKey {
  readonly tenant: string;
  readonly accountId: string;
}

interface AccountOpening extends AccountKey {
  readonly currency: string;
  /** Minor units, zero or more. */
  readonly openingBalanceMinor: bigint;
}

/** `replayed`: the account was opened before with the same facts. `conflict`: it was opened with other facts. */
export interface AccountOpened {
  readonly kind: 'created' | 'replayed' | 'conflict';
  readonly account: Account;
}

/** An account keeps its identity and is never deleted. */
export const accountGrants = {
  accounts: ['select', 'insert', { update: ['balance_minor', 'frozen'] }],
} satisfies Grants;

export type Accounts = ReturnType<typeof createAccounts>;

/** Accounts of customers. For a tenant, another tenant's account does not exist. */
export const createAccounts = (database: Database) => ({
  /** Opens an account once, and books its opening balance from the tenant's equity account of that currency. */
  openAccount: (opening: AccountOpening): Promise<AccountOpened> =>
    database.transaction(async (tx) => {
      const { tenant, accountId, currency, openingBalanceMinor } = opening;
      const created = await tx.query(
        `insert into accounts (tenant, account_id, currency, kind, balance_minor, opening_balance_minor)
         values ($1, $2, $3, 'customer', 0, $4) on conflict do nothing returning account_id`,
        [tenant, accountId, currency, openingBalanceMinor],
      );
      if (created.length > 0) {
        await openInternalAccounts(tx, tenant, currency);
        if (openingBalanceMinor > 0n) await bookOpeningBalance(tx, opening);
      }
      const row = await readRow(tx, opening);
      if (row === undefined) throw new Error('an account that was opened is not there');
      const isSame = row.currency === currency && row.opening_balance_minor === openingBalanceMinor;
      const replay = isSame ? 'replayed' : 'conflict';
      return { kind: created.length > 0 ? 'created' : replay, account: toAccount(row) };
    }),

  /** `undefined` when there is no such account. */
  findAccount: async (key: AccountKey): Promise<Account | undefined> => {
    const row = await readRow(database, key);
    return row && toAccount(row);
  },

  /** `undefined` when there is no such account; freezing a frozen one changes nothing. */
  freezeAccount: (key: AccountKey) => setFrozen(database, key, true),

  /** `undefined` when there is no such account; unfreezing one that is not frozen changes nothing. */
  unfreezeAccount: (key: AccountKey) => setFrozen(database, key, false),
});

type AccountRow = {
  tenant: string;
  account_id: string;
  currency: string;
  balance_minor: bigint;
  opening_balance_minor: bigint;
  frozen: boolean;
  opened_at: Date;
};

const columns = 'tenant, account_id, currency, balance_minor, opening_balance_minor, frozen, opened_at';

async function bookOpeningBalance(tx: Queryable, opening: AccountOpening): Promise<void> {
  const { tenant, accountId, currency, openingBalanceMinor } = opening;
  const isPosted = await postToCustomer(tx, {
    tenant,
    postingId: `account/${accountId}/opening`,
    currency,
    accountId,
    amountMinor: openingBalanceMinor,
    against: 'equity',
  });
  if (!isPosted) throw new Error('a new account does not take its opening balance');
}

async function readRow(from: Queryable, { tenant, accountId }: AccountKey): Promise<AccountRow | undefined> {
  const [row] = await from.query<AccountRow>(
    `select ${columns} from accounts where tenant = $1 and account_id = $2 and kind = 'customer'`,
    [tenant, accountId],
  );
  return row;
}

async function setFrozen(database: Database, key: AccountKey, frozen: boolean): Promise<Account | undefined> {
  const [row] = await database.query<AccountRow>(
    `update accounts set frozen = $3 where tenant = $1 and account_id = $2 and kind = 'customer' returning ${columns}`,
    [key.tenant, key.accountId, frozen],
  );
  return row && toAccount(row);
}

const toAccount = (row: AccountRow): Account => ({
  tenant: row.tenant,
  accountId: row.account_id,
  currency: row.currency,
  balanceMinor: row.balance_minor,
  frozen: row.frozen,
  openedAt: row.opened_at,
});
