import type { WorkflowHandle } from '@temporalio/client';
import type { GrantBench } from './grant-harness.ts';
import { breakBefore, createGate, failFirst } from './interference.ts';
import { fixtureWorkflows } from './stage.ts';
import type { TransferBench } from './transfer-harness.ts';

interface Benches {
  readonly transfers: TransferBench;
  /** Transfers whose approval expires at once. */
  readonly hasty: TransferBench;
  readonly grants: GrantBench;
}

/** Brings an instance to where its history is worth keeping, and to rest. */
export type Recording = (benches: Benches) => Promise<WorkflowHandle>;

const aboveLimit = { minor: '1000001' };
const adult = { birthDate: '1990-05-31' };

/** A transfer whose payee refuses the money, and whose payer cannot take it back if `stuck`. */
async function beginRefused({ transfers }: Benches, { stuck }: { stuck: boolean }) {
  const gate = createGate({ at: 'entry' });
  const transfer = await transfers.begin({ interference: { deposit: gate.interference } });
  await gate.reached;
  await transfer.freeze('payee');
  if (stuck) await transfer.freeze('payer');
  gate.open();
  if (stuck) await transfer.reaches('compensation-stuck');
  return transfer;
}

/** A grant by the code before the step for adults, left where the call runs: its worker is gone. */
async function leaveBeforeAdults({ grants }: Benches, call: 'sendMessage' | 'grantDiscount') {
  const gate = createGate({ at: 'entry' });
  const worker = await grants.startWorker({ workflowsPath: fixtureWorkflows('user-grants-before-adults') });
  const { taskQueue } = worker;
  const grant = await grants.begin({ ...adult, taskQueue, interference: { [call]: gate.interference } });
  await gate.reached;
  const stopped = worker.stop();
  gate.open();
  await stopped;
  return grant.handle;
}

async function ended(begun: { handle: WorkflowHandle; result(): Promise<unknown> }): Promise<WorkflowHandle> {
  await begun.result();
  return begun.handle;
}

/**
 * The histories in `test/histories`, by file name: one for each branch of each generation of the code. A new generation
 * (a patch) gets new names; the files of earlier ones stay as they are for as long as such instances may live.
 */
export const recordings: Readonly<Record<string, Recording>> = {
  'transfers-1-completed': async ({ transfers }) => ended(await transfers.begin()),

  'transfers-1-approved': async ({ transfers }) => {
    const transfer = await transfers.begin(aboveLimit);
    await transfer.reaches('awaiting-approval');
    await transfer.act('approve', { note: 'seen' });
    return ended(transfer);
  },

  'transfers-1-awaiting-approval': async ({ transfers }) => {
    const transfer = await transfers.begin(aboveLimit);
    await transfer.reaches('awaiting-approval');
    return transfer.handle;
  },

  'transfers-1-declined': async ({ transfers }) => {
    const transfer = await transfers.begin(aboveLimit);
    await transfer.reaches('awaiting-approval');
    await transfer.act('reject', { note: 'not this month' });
    return ended(transfer);
  },

  'transfers-1-expired': async ({ hasty }) => ended(await hasty.begin(aboveLimit)),

  'transfers-1-rejected': async ({ transfers }) => ended(await transfers.begin({ balance: 0n })),

  'transfers-1-compensated': async (benches) => ended(await beginRefused(benches, { stuck: false })),

  'transfers-1-withdrawal-undone': async ({ transfers }) =>
    ended(await transfers.begin({ interference: { withdraw: breakBefore } })),

  'transfers-1-stuck': async (benches) => {
    const transfer = await beginRefused(benches, { stuck: true });
    return transfer.handle;
  },

  'transfers-1-stuck-retried': async (benches) => {
    const transfer = await beginRefused(benches, { stuck: true });
    await transfer.act('resolve', { how: 'retry' });
    await transfer.unfreeze('payer');
    await transfer.act('resolve', { how: 'retry' });
    return ended(transfer);
  },

  'transfers-1-settled': async (benches) => {
    const transfer = await beginRefused(benches, { stuck: true });
    await transfer.act('resolve', { how: 'settle', note: 'paid out in cash' });
    return ended(transfer);
  },

  'transfers-1-cancelled-waiting': async ({ transfers }) => {
    const transfer = await transfers.begin(aboveLimit);
    await transfer.reaches('awaiting-approval');
    await transfer.act('cancel', {});
    return ended(transfer);
  },

  'transfers-1-cancelled-withdrawing': async ({ transfers }) => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ interference: { withdraw: gate.interference } });
    await gate.reached;
    const answer = transfer.answerOf('cancel', {});
    await transfer.hasHeard('EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED');
    gate.open();
    await answer;
    return ended(transfer);
  },

  'transfers-1-cancelled-by-temporal': async ({ transfers }) => {
    const transfer = await transfers.begin({ interference: { deposit: failFirst(Infinity) } });
    await transfer.retriesOf('deposit', 2);
    await transfer.handle.cancel();
    return ended(transfer);
  },

  'transfers-1-cancelled-too-late': async ({ transfers }) => {
    const gate = createGate({ at: 'entry' });
    const transfer = await transfers.begin({ interference: { deposit: gate.interference } });
    await gate.reached;
    const answer = transfer.answerOf('cancel', {});
    await transfer.hasHeard('EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED');
    gate.open();
    await answer;
    return ended(transfer);
  },

  'transfers-1-forgotten': async ({ transfers }) => {
    const first = await transfers.begin();
    await first.result();
    return ended(await transfers.begin({ after: first }));
  },

  'transfers-1-conflict': async ({ transfers }) => {
    const first = await transfers.begin();
    await first.result();
    return ended(await transfers.begin({ after: first, minor: '1300' }));
  },

  'user-grants-1-completed': async ({ grants }) => {
    const worker = await grants.startWorker({ workflowsPath: fixtureWorkflows('user-grants-before-adults') });
    return ended(await grants.begin({ ...adult, taskQueue: worker.taskQueue }));
  },
  'user-grants-1-congratulating': (benches) => leaveBeforeAdults(benches, 'sendMessage'),
  'user-grants-1-granting': (benches) => leaveBeforeAdults(benches, 'grantDiscount'),

  'user-grants-2-adult': async ({ grants }) => ended(await grants.begin(adult)),
  'user-grants-2-age-unknown': async ({ grants }) => ended(await grants.begin()),
  'user-grants-2-cancelled': async ({ grants }) => {
    const grant = await grants.begin({ ...adult, interference: { grantDiscount: failFirst(Infinity) } });
    await grant.reaches('congratulating-adult');
    await grant.handle.cancel();
    return ended(grant);
  },
};

/** Opens what recordings need, runs one after the other, and closes it again. */
export async function record(
  names: readonly string[],
  { address, keep }: { address: string; keep: (name: string, handle: WorkflowHandle) => Promise<void> },
): Promise<void> {
  const [{ openTransferBench }, { openGrantBench }] = await Promise.all([
    import('./transfer-harness.ts'),
    import('./grant-harness.ts'),
  ]);
  const transfers = await openTransferBench({ address });
  const hasty = await openTransferBench({ address, approvalTimeoutMs: 200 });
  const grants = await openGrantBench({ address });
  try {
    for (const name of names) {
      const recording = recordings[name];
      if (recording === undefined) throw new Error(`there is no recording of that name: ${name}`);
      await keep(name, await recording({ transfers, hasty, grants }));
    }
  } finally {
    await Promise.all([transfers.close(), hasty.close(), grants.close()]);
  }
}
