import type { Database, Queryable } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';
import type { Actor } from '../../definition/envelope.ts';
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
  /** Who froze it. Absent where it is not frozen, or was frozen before this was kept. */
  readonly frozenBy?: Freeze | undefined;
  readonly openedAt: Date;
}

/** The newest freeze of a frozen account. */
interface Freeze {
  readonly by: Actor;
  readonly at: Date;
  readonly note?: string | undefined;
}

interface AccountKey {
  readonly tenant: string;
  readonly accountId: string;
}

interface FreezeOrder extends AccountKey {
  readonly by: Actor;
  /** Why, in at most 500 characters. */
  readonly note?: string | undefined;
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

/**
 * An account keeps its identity and is never deleted. Its balance follows from entries and `frozen` from the rows of
 * `account_freezes`, by triggers with the owner's rights. Locking an account takes the right to update a column of it:
 * of this one a trigger lets nobody change anything.
 */
export const accountGrants = {
  accounts: ['select', 'insert', { update: ['opened_at'] }],
  account_freezes: ['select', 'insert'],
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

  /** `undefined` when there is no such account; freezing a frozen one changes nothing: who froze it first stands. */
  freezeAccount: (order: FreezeOrder) => setFrozen(database, order, true),

  /** `undefined` when there is no such account; unfreezing one that is not frozen changes nothing. */
  unfreezeAccount: (order: FreezeOrder) => setFrozen(database, order, false),
});

type AccountRow = {
  tenant: string;
  account_id: string;
  currency: string;
  balance_minor: bigint;
  opening_balance_minor: bigint;
  frozen: boolean;
  opened_at: Date;
  by_iss: string | null;
  by_sub: string | null;
  note: string | null;
  frozen_at: Date | null;
};

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
    `select a.tenant, a.account_id, a.currency, a.balance_minor, a.opening_balance_minor, a.frozen, a.opened_at,
       f.by_iss, f.by_sub, f.note, f.recorded_at as frozen_at
     from accounts a
     left join lateral (
       select * from account_freezes f where f.tenant = a.tenant and f.account_id = a.account_id
       order by f.position desc limit 1
     ) f on a.frozen and f.frozen
     where a.tenant = $1 and a.account_id = $2 and a.kind = 'customer'`,
    [tenant, accountId],
  );
  return row;
}

async function setFrozen(database: Database, order: FreezeOrder, frozen: boolean): Promise<Account | undefined> {
  const { tenant, accountId, by, note } = order;
  await database.query(
    `with changed as (
       select tenant, account_id from accounts
       where tenant = $1 and account_id = $2 and kind = 'customer' and frozen <> $3
       for no key update
     )
     insert into account_freezes (tenant, account_id, frozen, by_iss, by_sub, note)
     select tenant, account_id, $3, $4, $5, $6 from changed`,
    [tenant, accountId, frozen, by.iss, by.sub, note ?? null],
  );
  const row = await readRow(database, order);
  return row && toAccount(row);
}

const toAccount = (row: AccountRow): Account => ({
  tenant: row.tenant,
  accountId: row.account_id,
  currency: row.currency,
  balanceMinor: row.balance_minor,
  frozen: row.frozen,
  frozenBy: freezeOf(row),
  openedAt: row.opened_at,
});

const freezeOf = ({ by_iss: iss, by_sub: sub, frozen_at: at, note }: AccountRow): Freeze | undefined =>
  iss === null || sub === null || at === null ? undefined : { by: { iss, sub }, at, note: note ?? undefined };
