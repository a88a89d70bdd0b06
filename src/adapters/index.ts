import type { SettingsOf } from '../config/process-settings.ts';
import type { Database } from '../database/database.ts';
import type { Grants } from '../database/grants.ts';
import { createInbox, inboxGrants } from './inbox.ts';
import { accountGrants, createAccounts } from './ledger/accounts.ts';
import { createLedger } from './ledger/ledger.ts';
import { phaseGrants } from './ledger/phases.ts';
import { entryGrants } from './ledger/postings.ts';
import { createTransferRecords, transferGrants } from './ledger/records.ts';

/** What adapters are made of: the database, and `settingsOf` for those that a process can set. */
interface Dependencies {
  readonly database: Database;
  readonly settingsOf: SettingsOf;
}

/** Everything that activities and operations reach beside Temporal, by the name they ask for it. */
export const createAdapters = ({ database }: Dependencies) => ({
  accounts: createAccounts(database),
  inbox: createInbox(database),
  ledger: createLedger(database),
  transferRecords: createTransferRecords(database),
});

export type Adapters = ReturnType<typeof createAdapters>;

/** What the program's role may do, by table. Nothing else is granted. */
export const grants: Grants = {
  ...accountGrants,
  ...entryGrants,
  ...inboxGrants,
  ...phaseGrants,
  ...transferGrants,
};
