import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { openEmbeddedDatabase } from '../../local/database/embedded.ts';
import { withClient } from '../servers/postgres.ts';
import { audit, findBrokenMoney, inSnapshot } from './audit.ts';
import { silentLogger } from './silent-logger.ts';

export interface MoneyReport {
  /** What is wrong with the money of all tenants now that nothing moves any more. */
  readonly findings: readonly string[];
  /** How each transfer of the tenant ended, by its id; null for one that has not. */
  readonly outcomes: ReadonlyMap<string, string | null>;
  /** Of the tenant's accounts, in minor units. */
  readonly balances: ReadonlyMap<string, bigint>;
}

/** Audits a database at rest, at one moment, by a connection that nothing of Portico has touched. */
export const reportAt = (url: string, tenant: string): Promise<MoneyReport> =>
  withClient(url, (client) => inSnapshot(client, () => reportOf(client, tenant)));

/** The same for the embedded database of a Portico that has ended. */
export async function reportEmbedded(stateDir: string, tenant: string): Promise<MoneyReport> {
  const embedded = await openEmbeddedDatabase({ folder: join(stateDir, 'database'), logger: silentLogger });
  try {
    return await reportAt(embedded.url, tenant);
  } finally {
    await embedded.close();
  }
}

/**
 * Audits ten times a second until it is stopped, whenever the database lets it; stopping resolves with how often that
 * was and with all that was found.
 */
export function auditRepeatedly(url: string) {
  const stopping = new AbortController();
  const seen = { audits: 0, findings: [] as string[] };
  const auditOnce = async (): Promise<void> => {
    seen.findings.push(...(await withClient(url, (client) => audit(client, { atRest: false }))));
    seen.audits += 1;
  };
  const auditing = (async () => {
    while (!stopping.signal.aborted) {
      await auditOnce().catch(() => undefined);
      await sleep(100);
    }
  })();
  return {
    seen,
    async stop(): Promise<typeof seen> {
      stopping.abort();
      await auditing;
      return seen;
    },
  };
}

async function reportOf(client: pg.Client, tenant: string): Promise<MoneyReport> {
  const findings = await findBrokenMoney(client, { atRest: true });
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
