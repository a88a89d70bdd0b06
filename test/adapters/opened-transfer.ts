import { randomUUID } from 'node:crypto';
import { createAccounts } from '../../src/adapters/accounts.ts';
import { createTransferRecords, type TransferOpening } from '../../src/adapters/transfer-records.ts';
import type { Database } from '../../src/database/database.ts';

/** A fresh tenant with the accounts `payer` (1,000 minor units) and `payee` (none), in EUR. */
export async function openTenant(database: Database): Promise<string> {
  const tenant = randomUUID();
  const { openAccount } = createAccounts(database);
  await openAccount({ tenant, accountId: 'payer', currency: 'EUR', openingBalanceMinor: 1_000n });
  await openAccount({ tenant, accountId: 'payee', currency: 'EUR', openingBalanceMinor: 0n });
  return tenant;
}

/** What it takes to open a transfer of 300 minor units from `payer` to `payee`. */
export const openingOf = (tenant: string, facts: Partial<TransferOpening> = {}): TransferOpening => ({
  tenant,
  transferId: 'rent-october',
  from: 'payer',
  to: 'payee',
  currency: 'EUR',
  amountMinor: 300n,
  startedBy: { iss: 'https://issuer.test', sub: 'shop' },
  fingerprint: 'f1.aa',
  approvalRequired: false,
  ...facts,
});

/** Opens the transfer of {@link openingOf} and answers its key. */
export async function openTransfer(database: Database, tenant: string, facts: Partial<TransferOpening> = {}) {
  const opening = openingOf(tenant, facts);
  await createTransferRecords(database).openTransfer(opening);
  return { tenant, transferId: opening.transferId };
}
