import type { SettingsOf } from '../config/process-settings.ts';
import type { Database } from '../database/database.ts';
import type { Grants } from '../database/grants.ts';
import type { PermanentRowsByName } from '../definition/permanent-row.ts';
import { createInbox, inboxGrants } from './inbox.ts';
import { accountGrants, createAccounts } from './ledger/accounts.ts';
import { createLedger } from './ledger/ledger.ts';
import { phaseGrants } from './ledger/phases.ts';
import { entryGrants } from './ledger/postings.ts';
import { createTransferRecords, transferGrants } from './ledger/records.ts';
import { createTransferRows } from './ledger/transfer-rows.ts';

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
  transferRecords: createTransferRecords(given.database),
  transferRows: createTransferRows(given.database),
});

export type Adapters = ReturnType<typeof createAdapters>;

/** The permanent rows that definitions name. */
export const permanentRowsIn = (adapters: Adapters): PermanentRowsByName => ({ transfers: adapters.transferRows });

/** What the program's role may do, by table. Nothing else is granted. */
export const grants: Grants = {
  ...accountGrants,
  ...entryGrants,
  ...inboxGrants,
  ...phaseGrants,
  ...transferGrants,
};
