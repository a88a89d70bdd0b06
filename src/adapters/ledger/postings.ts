import type { Queryable } from '../../database/database.ts';
import type { Grants } from '../../database/grants.ts';

/** Portico's own accounts: one of each for a tenant and currency. Customers' ids never begin with `~`. */
export type InternalAccount = 'clearing' | 'equity' | 'suspense';

/** Entries are only ever added to. Balances have no grant: the owner's trigger moves them. */
export const entryGrants = { entries: ['select', 'insert'] } satisfies Grants;

interface Posting {
  readonly tenant: string;
  /** Names what happened. The primary key refuses a second posting of the same name, for ever. */
  readonly postingId: string;
  readonly currency: string;
}

interface CustomerPosting extends Posting {
  readonly accountId: string;
  /** What the customer's account receives, in minor units; negative where it gives. */
  readonly amountMinor: bigint;
  /** The account on the other side. */
  readonly against: InternalAccount;
}

const internalIdOf = (kind: InternalAccount, currency: string): string => `~${kind}:${currency}`;

/**
 * Moves money between a customer's account and one of the tenant's own. Answers false and moves nothing where the account
 * is absent, frozen, short of money or of another currency. The balance follows from the entries, by a trigger.
 * Until the transaction ends, only the customer's account is locked.
 */
export async function postToCustomer(tx: Queryable, posting: CustomerPosting): Promise<boolean> {
  const { tenant, postingId, currency, accountId, amountMinor, against } = posting;
  const entries = await tx.query(
    `with able as (
       select account_id from accounts
       where tenant = $1 and account_id = $4 and currency = $3 and kind = 'customer' and not frozen
         and balance_minor + $5::bigint >= 0
       for no key update
     )
     insert into entries (tenant, posting_id, account_id, currency, amount_minor)
     select $1, $2, leg.account_id, $3, leg.amount_minor
     from able cross join lateral (values (able.account_id, $5::bigint), ($6, -$5::bigint)) as leg (account_id, amount_minor)
     returning account_id`,
    [tenant, postingId, currency, accountId, amountMinor, internalIdOf(against, currency)],
  );
  return entries.length > 0;
}

interface InternalPosting extends Posting {
  readonly amountMinor: bigint;
  readonly from: InternalAccount;
  readonly to: InternalAccount;
}

/** Moves money between two of the tenant's own accounts. It locks nothing, because they keep no balance. */
export async function postInternally(tx: Queryable, posting: InternalPosting): Promise<void> {
  const { tenant, postingId, currency, amountMinor, from, to } = posting;
  await tx.query(
    `insert into entries (tenant, posting_id, account_id, currency, amount_minor)
     values ($1, $2, $4, $3, -$6::bigint), ($1, $2, $5, $3, $6::bigint)`,
    [tenant, postingId, currency, internalIdOf(from, currency), internalIdOf(to, currency), amountMinor],
  );
}

/** Opens the tenant's own accounts of a currency where they are missing. */
export async function openInternalAccounts(tx: Queryable, tenant: string, currency: string): Promise<void> {
  await tx.query(
    `insert into accounts (tenant, account_id, currency, kind)
     select $1, '~' || kind || ':' || $2, $2, kind from unnest(array['clearing', 'equity', 'suspense']) as kind
     on conflict do nothing`,
    [tenant, currency],
  );
}
