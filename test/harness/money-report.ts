import type pg from 'pg';
import { audit } from './audit.ts';

export interface MoneyReport {
  /** What is wrong with the money of all tenants now that nothing moves any more. */
  readonly findings: readonly string[];
  /** How each transfer of the tenant ended, by its id; null for one that has not. */
  readonly outcomes: ReadonlyMap<string, string | null>;
  /** Of the tenant's accounts, in minor units. */
  readonly balances: ReadonlyMap<string, bigint>;
}

/** Audits a database at rest, by a client that nothing of Portico has touched. */
export async function reportOf(client: pg.Client, tenant: string): Promise<MoneyReport> {
  const findings = await audit(client, { atRest: true });
  const transfers = await client.query<{ transfer_id: string; outcome: string | null }>(
    'select transfer_id, outcome from transfers where tenant = $1',
    [tenant],
  );
  const accounts = await client.query<{ account_id: string; balance: string }>(
    `select account_id, sum(amount_minor)::text as balance from entries where tenant = $1 group by account_id`,
    [tenant],
  );
  return {
    findings,
    outcomes: new Map(transfers.rows.map((row) => [row.transfer_id, row.outcome])),
    balances: new Map(accounts.rows.map((row) => [row.account_id, BigInt(row.balance)])),
  };
}
