import type { Database } from '../database/database.ts';
import { createInbox } from './inbox.ts';
import { createAccounts } from './ledger/accounts.ts';
import { createLedger } from './ledger/ledger.ts';
import { createTransferRecords } from './ledger/records.ts';

/** Every adapter, by the name that activities and operations ask for. */
export const createAdapters = (database: Database) => ({
  accounts: createAccounts(database),
  inbox: createInbox(database),
  ledger: createLedger(database),
  transferRecords: createTransferRecords(database),
});

export type Adapters = ReturnType<typeof createAdapters>;
