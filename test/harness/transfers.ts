import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { createTransferActivities } from '../../activities/transfers.ts';
import { createAccounts } from '../../src/adapters/ledger/accounts.ts';
import { createLedger, type Ledger } from '../../src/adapters/ledger/ledger.ts';
import { createTransferRecords, type TransferRecords } from '../../src/adapters/ledger/records.ts';
import { createSettlements } from '../../src/adapters/ledger/settlements.ts';
import { transferSettings } from '../../src/catalog/transfer-settings.ts';
import { type TransferInput, type TransferOutput } from '../../src/catalog/transfers.ts';
import type { Actor } from '../../src/definition/envelope.ts';
import { settingsWith } from '../harness/settings.ts';
import { openTestDatabase } from '../servers/database.ts';
import { type CallHandling, controlCalls } from './adapter-calls.ts';
import { createMessages, starter } from './instance-messages.ts';
import { loseRows, type Loss } from './lost-rows.ts';
import { resetInstance } from './reset.ts';
import { until } from './until.ts';
import { openWorkers } from './workers.ts';

const currency = 'EUR';

/** The implementations of transfers. */
type Implementation = 'transfers' | 'transfersAtOnce';

let underTest: Implementation = 'transfers';

/** From now on tests that name no implementation are about this one: a file can so run the tests of another. */
export const testImplementation = (implementation: Implementation): void => {
  underTest = implementation;
};

/** The calls of a transfer that a test can handle. */
export type TransferCall = keyof Ledger | keyof TransferRecords;
export type TransferCalls = { readonly [Call in TransferCall]?: CallHandling };

export interface TransferOptions {
  /** Minor units. */
  readonly minor?: string;
  readonly requestedBy?: string;
  readonly startedBy?: Actor;
  /** What the payer has, in minor units. */
  readonly balance?: bigint;
  /** Not given: an account of the transfer's own. */
  readonly payer?: string;
  readonly calls?: TransferCalls;
  /** Not given: the worker that all share. */
  readonly taskQueue?: string;
  /** Not given: the one of all. */
  readonly implementation?: Implementation;
  /** The transfer that is started again, as after Temporal has forgotten its first run. */
  readonly after?: { readonly transferId: string };
}

/** What a transfer under test is known by. */
interface Begun {
  readonly transferId: string;
  readonly payer: string;
  readonly payee: string;
  readonly given: TransferOptions;
}

/** Transfers between accounts of their own, through the real workflow, activities, adapters, database and server. */
export async function openTransfers(options: {
  address: string;
  approvalLimitMinor?: bigint;
  approvalTimeoutMs?: number;
  settleApproval?: 'single' | 'second-person';
  implementation?: Implementation;
}) {
  const { address, approvalLimitMinor = 1_000_000n, approvalTimeoutMs = 60_000, settleApproval = 'single' } = options;
  const { implementation = underTest } = options;
  const tenant = `tenant-${randomUUID().slice(0, 8)}`;
  const [workers, storage] = await Promise.all([openWorkers({ address }), openTestDatabase('embedded')]);
  const { database } = storage;
  const accounts = createAccounts(database);
  const controlled = controlCalls(
    { ...createLedger(database), ...createTransferRecords(database) },
    ({ transferId }: { transferId: string }) => transferId,
  );
  const stepwise = new Set<string>();
  const { openTransfer, transferAtOnce } = controlled.adapter;
  const activities = createTransferActivities({
    ledger: controlled.adapter,
    transferRecords: {
      ...controlled.adapter,
      transferAtOnce: (order) => (stepwise.has(order.transferId) ? openTransfer(order) : transferAtOnce(order)),
    },
    settlements: createSettlements(database),
    settingsOf: settingsWith(transferSettings, {
      approvalLimits: new Map([[currency, approvalLimitMinor]]),
      settleApproval,
      approvalTimeout: approvalTimeoutMs,
    }),
  });
  const startWorker = (taskQueue?: string, patchesAsleep?: readonly string[], workflowsPath?: string) =>
    workers.startWorker({ activities, taskQueue, patchesAsleep, workflowsPath });
  const shared = await startWorker();

  async function balanceOf(accountId: string): Promise<bigint | undefined> {
    return (await accounts.findAccount({ tenant, accountId }))?.balanceMinor;
  }

  /** What lies in clearing on behalf of one transfer. */
  async function clearingOf(transferId: string): Promise<bigint | undefined> {
    const [row] = await database.query<{ sum: bigint }>(
      `select coalesce(sum(amount_minor), 0)::bigint as sum from entries
       where tenant = $1 and account_id = '~clearing:' || $2 and posting_id like 'transfer/' || $3 || '/%'`,
      [tenant, currency, transferId],
    );
    return row?.sum;
  }

  async function begin(given: TransferOptions = {}) {
    const { minor = '1250', balance = 5_000_000n, calls = {}, requestedBy, startedBy = starter } = given;
    const transferId = given.after?.transferId ?? `transfer-${randomUUID().slice(0, 8)}`;
    const payer = given.payer ?? `payer-of-${transferId}`;
    const payee = `payee-of-${transferId}`;
    if (given.after === undefined) {
      await accounts.openAccount({ tenant, accountId: payee, currency, openingBalanceMinor: 0n });
      if (given.payer === undefined) {
        await accounts.openAccount({ tenant, accountId: payer, currency, openingBalanceMinor: balance });
      }
    }
    // What a test does to a step needs a transfer that takes it, as one does whose accounts refuse for a moment.
    if (Object.keys(calls).some((call) => call !== 'transferAtOnce')) stepwise.add(transferId);
    for (const [call, how] of Object.entries(calls)) controlled.handle(transferId, call, how);

    const input: TransferInput = { transferId, from: payer, to: payee, amount: { currency, minor }, requestedBy };
    const handle = await workers.start({
      workflow: given.implementation ?? implementation,
      processName: 'transfers',
      taskQueue: given.taskQueue ?? shared.taskQueue,
      firstStep: 'opening',
      input,
      context: { tenant, key: transferId, generation: 1, startedBy, fingerprint: `f1.${transferId}/${minor}` },
    });

    return watch(handle, { transferId, payer, payee, given });
  }

  function watch(handle: WorkflowHandle, begun: Begun) {
    const { transferId, payer, payee, given } = begun;
    const handleCall = (call: TransferCall, how: CallHandling) => controlled.handle(transferId, call, how);
    const callsOf = (call: TransferCall) => controlled.callsOf(transferId, call);
    return {
      ...createMessages(handle),
      handle,
      transferId,
      given,
      handleCall,
      callsOf,
      /** Its newest run, whoever began that. */
      latest: () => watch(workers.client.workflow.getHandle(handle.workflowId), begun),
      result: (): Promise<TransferOutput> => handle.result(),
      /** Resets it, as an operator does, and answers its new run. */
      reset: async ({ toTask, dropsActions = true }: { toTask: number; dropsActions?: boolean }) => {
        const { client } = workers;
        const runId = await resetInstance(client.workflowService, handle.workflowId, { toTask, dropsActions });
        return watch(client.workflow.getHandle(handle.workflowId, runId), begun);
      },
      read: () => workers.read(handle),
      reaches: (step: string) =>
        until(
          () => workers.read(handle),
          (seen) => seen.step === step,
        ),
      /** Waits for that many further calls. */
      retriesOf: (call: TransferCall, more: number) => {
        const wanted = callsOf(call) + more;
        return until(
          () => callsOf(call),
          (count) => count >= wanted,
        );
      },
      balances: async () => ({ payer: await balanceOf(payer), payee: await balanceOf(payee) }),
      clearing: () => clearingOf(transferId),
      freeze: (whom: 'payer' | 'payee') =>
        accounts.freezeAccount({ tenant, accountId: whom === 'payer' ? payer : payee, by: starter }),
      unfreeze: (whom: 'payer' | 'payee') =>
        accounts.unfreezeAccount({ tenant, accountId: whom === 'payer' ? payer : payee, by: starter }),
    };
  }

  return {
    implementation,
    workers,
    startWorker,
    begin,
    query: database.query,
    /** Takes rows of a transfer away, as a restore of an older backup does. */
    loseRows: (transferId: string, loss: Loss) => loseRows(database, { tenant, transferId }, loss),
    async close(): Promise<void> {
      await workers.close();
      await storage.close();
    },
  };
}

export type Transfers = Awaited<ReturnType<typeof openTransfers>>;
export type Transfer = Awaited<ReturnType<Transfers['begin']>>;
