import { randomUUID } from 'node:crypto';
import type { WorkflowHandle } from '@temporalio/client';
import { createTransferActivities } from '../../activities/transfers.ts';
import { createAccounts } from '../../src/adapters/ledger/accounts.ts';
import { createLedger, type Ledger } from '../../src/adapters/ledger/ledger.ts';
import { createTransferRecords, type TransferRecords } from '../../src/adapters/ledger/records.ts';
import { type TransferInput, type TransferOutput, transferSettings } from '../../src/catalog/transfers.ts';
import type { Actor } from '../../src/definition/envelope.ts';
import { settingsWith } from '../harness/settings.ts';
import { openTestDatabase } from '../servers/database.ts';
import { type Interference, interfereWith } from './adapter-calls.ts';
import { createMessages, starter } from './instance-messages.ts';
import { rewind, type RewindOptions } from './reset.ts';
import { until } from './until.ts';
import { openStage } from './workers.ts';

const currency = 'EUR';

/** The calls of a transfer that a test can interfere with. */
export type TransferCall = keyof Ledger | keyof TransferRecords;
export type Interferences = { readonly [Call in TransferCall]?: Interference };

export interface TransferOptions {
  /** Minor units. */
  readonly minor?: string;
  readonly requestedBy?: string;
  readonly startedBy?: Actor;
  /** What the payer has, in minor units. */
  readonly balance?: bigint;
  /** Not given: an account of the transfer's own. */
  readonly payer?: string;
  readonly interference?: Interferences;
  /** Not given: a worker that the whole bench shares. */
  readonly taskQueue?: string;
  /** The transfer whose second life this is, as after Temporal has forgotten the first. */
  readonly after?: { readonly transferId: string };
}

/** What a transfer under test is known by. */
interface Begun {
  readonly transferId: string;
  readonly payer: string;
  readonly payee: string;
  readonly options: TransferOptions;
}

/** Transfers between accounts of their own, through the real workflow, activities, adapters, database and server. */
export async function openTransferBench(options: {
  address: string;
  approvalLimitMinor?: bigint;
  approvalTimeoutMs?: number;
}) {
  const { address, approvalLimitMinor = 1_000_000n, approvalTimeoutMs = 60_000 } = options;
  const tenant = `tenant-${randomUUID().slice(0, 8)}`;
  const [stage, storage] = await Promise.all([openStage({ address }), openTestDatabase('embedded')]);
  const { database } = storage;
  const accounts = createAccounts(database);
  const meddler = interfereWith(
    { ...createLedger(database), ...createTransferRecords(database) },
    ({ transferId }: { transferId: string }) => transferId,
  );
  const activities = createTransferActivities({
    ledger: meddler.adapter,
    transferRecords: meddler.adapter,
    settingsOf: settingsWith(transferSettings, { approvalLimitMinor, approvalTimeout: approvalTimeoutMs }),
  });
  const startWorker = (taskQueue?: string) => stage.startWorker({ activities, taskQueue });
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

  async function begin(begun: TransferOptions = {}) {
    const { minor = '1250', balance = 5_000_000n, interference = {}, requestedBy, startedBy = starter } = begun;
    const transferId = begun.after?.transferId ?? `transfer-${randomUUID().slice(0, 8)}`;
    const payer = begun.payer ?? `payer-of-${transferId}`;
    const payee = `payee-of-${transferId}`;
    if (begun.after === undefined) {
      await accounts.openAccount({ tenant, accountId: payee, currency, openingBalanceMinor: 0n });
      if (begun.payer === undefined) {
        await accounts.openAccount({ tenant, accountId: payer, currency, openingBalanceMinor: balance });
      }
    }
    for (const [call, how] of Object.entries(interference)) meddler.on(transferId, call, how);

    const input: TransferInput = { transferId, from: payer, to: payee, amount: { currency, minor }, requestedBy };
    const handle = await stage.start({
      workflow: 'transfers',
      process: 'transfers',
      taskQueue: begun.taskQueue ?? shared.taskQueue,
      firstStep: 'opening',
      input,
      context: { tenant, key: transferId, generation: 1, startedBy, fingerprint: `f1.${transferId}/${minor}` },
    });

    return watch(handle, { transferId, payer, payee, options: begun });
  }

  function watch(handle: WorkflowHandle, begun: Begun) {
    const { transferId, payer, payee, options } = begun;
    const interfere = (call: TransferCall, how: Interference) => meddler.on(transferId, call, how);
    const callsOf = (call: TransferCall) => meddler.callsOf(transferId, call);
    return {
      ...createMessages(handle),
      handle,
      transferId,
      options,
      interfere,
      callsOf,
      /** Its newest run, whoever began that. */
      latest: () => watch(stage.client.workflow.getHandle(handle.workflowId), begun),
      result: (): Promise<TransferOutput> => handle.result(),
      /** Resets it, as an operator does, and answers its new run. */
      rewind: async (options: RewindOptions) => watch(await rewind(stage.client, handle, options), begun),
      read: () => stage.read(handle),
      reaches: (step: string) =>
        until(async () => {
          const seen = await stage.read(handle);
          return { isTrue: seen.step === step, seen: JSON.stringify(seen) };
        }),
      /** Waits for that many further calls. */
      retriesOf: (call: TransferCall, more: number) => {
        const wanted = callsOf(call) + more;
        return until(() => ({ isTrue: callsOf(call) >= wanted, seen: callsOf(call) }));
      },
      balances: async () => ({ payer: await balanceOf(payer), payee: await balanceOf(payee) }),
      clearing: () => clearingOf(transferId),
      freeze: (whom: 'payer' | 'payee') =>
        accounts.freezeAccount({ tenant, accountId: whom === 'payer' ? payer : payee }),
      unfreeze: (whom: 'payer' | 'payee') =>
        accounts.unfreezeAccount({ tenant, accountId: whom === 'payer' ? payer : payee }),
    };
  }

  return {
    stage,
    startWorker,
    begin,
    query: database.query,
    async close(): Promise<void> {
      await stage.close();
      await storage.close();
    },
  };
}

export type TransferBench = Awaited<ReturnType<typeof openTransferBench>>;
export type Transfer = Awaited<ReturnType<TransferBench['begin']>>;
