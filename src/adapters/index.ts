import { transferSettings } from '../catalog/transfer-settings.ts';
import { endpointSettings } from '../config/endpoint-settings.ts';
import type { SettingsOf } from '../config/process-settings.ts';
import { queueSettings } from '../config/queue-settings.ts';
import { webhookSettings } from '../config/webhook-settings.ts';
import type { Database } from '../database/database.ts';
import type { Grants } from '../database/grants.ts';
import type { PermanentRowsByName, Reconciliation, ToldEnds } from '../definition/permanent-row.ts';
import { createInbox, inboxGrants } from './inbox.ts';
import { accountGrants, createAccounts } from './ledger/accounts.ts';
import { createTransferHolds, holdGrants } from './ledger/holds.ts';
import { createLedger } from './ledger/ledger.ts';
import { phaseGrants } from './ledger/phases.ts';
import { entryGrants } from './ledger/postings.ts';
import { createTransferRecords, transferGrants } from './ledger/records.ts';
import { createSettlements, settlementGrants } from './ledger/settlements.ts';
import { createSuspense, suspenseGrants } from './ledger/suspense.ts';
import { createToldTransfers } from './ledger/told-transfers.ts';
import { createTransferRows } from './ledger/transfer-rows.ts';
import { createUnresolvedTransfers, reconciliationGrants } from './ledger/unresolved.ts';
import type { QueueObserver } from './queues/broker.ts';
import { createQueues } from './queues/queues.ts';
import { createEndpoints, endpointGrants } from './webhooks/endpoints.ts';
import { createWebhooks } from './webhooks/webhooks.ts';

/** What adapters are made of. An adapter gets the values of its settings, not `settingsOf`. */
interface Given {
  readonly database: Database;
  /** The same database for what attempts to deliver read and keep, if they are not to wait with the rest. */
  readonly deliveriesDatabase?: Database;
  readonly settingsOf: SettingsOf;
  /** Not set where nothing is delivered. */
  readonly queueObserver?: QueueObserver;
  /** Called with each endpoint that a 410 has disabled. */
  readonly onEndpointGone?: () => void;
}

/** Every adapter, by the name that activities and operations ask for. */
export const createAdapters = (given: Given) => {
  const endpoints = createEndpoints(given.deliveriesDatabase ?? given.database, given.settingsOf(endpointSettings));
  return {
    accounts: createAccounts(given.database),
    endpoints,
    inbox: createInbox(given.database),
    ledger: createLedger(given.database),
    queues: createQueues(given.settingsOf(queueSettings), given.queueObserver),
    transferHolds: createTransferHolds(given.database),
    settlements: createSettlements(given.database),
    suspense: createSuspense(given.database),
    toldTransfers: createToldTransfers(given.database),
    transferRecords: createTransferRecords(given.database),
    transferRows: createTransferRows(given.database),
    unresolvedTransfers: createUnresolvedTransfers(given.database),
    webhooks: createWebhooks({
      endpoints,
      settings: given.settingsOf(webhookSettings),
      onGone: given.onEndpointGone,
    }),
  };
};

export type Adapters = ReturnType<typeof createAdapters>;

/** The permanent rows that definitions name. */
export const permanentRowsIn = ({ transferRows, transferHolds }: Adapters): PermanentRowsByName => ({
  transfers: { ...transferRows, holds: transferHolds },
});

/** What the reconciler of each of these rows needs. */
export function reconciliationsIn(
  { unresolvedTransfers }: Adapters,
  settingsOf: SettingsOf,
): Readonly<Record<string, Reconciliation>> {
  const { reconcile, reconcileInterval, reconcileAge } = settingsOf(transferSettings);
  const settings = { mode: reconcile, everyMs: reconcileInterval, ageMs: reconcileAge };
  return { transfers: { rows: unresolvedTransfers, ...settings } };
}

/** What finds the losses of each of these rows. */
export const toldEndsIn = ({ toldTransfers }: Adapters): Readonly<Record<string, ToldEnds>> => ({
  transfers: toldTransfers,
});

/** What the program's role may do, by table. Nothing else is granted. */
export const grants: Grants = {
  ...accountGrants,
  ...endpointGrants,
  ...entryGrants,
  ...holdGrants,
  ...inboxGrants,
  ...phaseGrants,
  ...reconciliationGrants,
  ...settlementGrants,
  ...suspenseGrants,
  ...transferGrants,
};
