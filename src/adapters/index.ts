import type { SettingsOf } from '../config/process-settings.ts';
import type { Database } from '../database/database.ts';
import type { Grants } from '../database/grants.ts';
import { createInbox, inboxGrants } from './inbox.ts';
import { accountGrants, createAccounts } from './ledger/accounts.ts';
import { createLedger } from './ledger/ledger.ts';
import { phaseGrants } from './ledger/phases.ts';
import { entryGrants } from './ledger/postings.ts';
import { createTransferRecords, transferGrants } from './ledger/records.ts';
import { createSettlements, settlementGrants } from './ledger/settlements.ts';
import { createSuspense, suspenseGrants } from './ledger/suspense.ts';

/** What adapters are made of. An adapter gets the values of its settings, not `settingsOf`. */
interface Given {
  readonly database: Database;
  readonly settingsOf: SettingsOf;
}

/** Every adapter, by the name that activities and operations ask for. */
export const createAdapters = (given: Given) => ({
  accounts: createAccounts(given.database),
  inbox: createInbox(given.database),
  ledger: createLedger(given.database),
  settlements: createSettlements(given.database),
  suspense: createSuspense(given.database),
  transferRecords: createTransferRecords(given.database),
});

export type Adapters = ReturnType<typeof createAdapters>;

/** What the program's role may do, by table. Nothing else is granted. */
export const grants: Grants = {
  ...accountGrants,
  ...entryGrants,
  ...inboxGrants,
  ...phaseGrants,
  ...settlementGrants,
  ...suspenseGrants,
  ...transferGrants,
};
