import { CancelledFailure, TemporalFailure } from '@temporalio/common';
import { CancellationScope, defineUpdate, patched, proxyActivities } from '@temporalio/workflow';
import type { FailureType } from '../activities/failures.ts';
import type { createTransferActivities } from '../activities/transfers.ts';
import type { TransferKey } from '../src/adapters/ledger/phases.ts';
import type {
  Accepted,
  Approval,
  Cancellation,
  Rejection,
  Resolution,
  TransferInput,
  TransferOutput,
} from '../src/catalog/transfers.ts';
import type { ActionAnswer, ActionCall, Actor, Envelope } from '../src/definition/envelope.ts';
import { type Decision, handleDecisions } from './instance/approval.ts';
import { handleCancels } from './instance/cancellation.ts';
import { createCompensation, type Undo } from './instance/compensation.ts';
import { handleResolutions } from './instance/resolution.ts';
import { endWith, enterStep } from './instance/steps.ts';

type Activities = ReturnType<typeof createTransferActivities>;

// A timeout stops no code: the ledger's rows, not these seconds, keep a late attempt from moving money.
const money = {
  startToCloseTimeout: '10s',
  // Other cancellation types may call an activity cancelled that has moved the money.
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
  retry: { initialInterval: '200ms', maximumInterval: '30s' },
} as const;

/** Fails where no retry can help. A failure that passes by itself, such as a lost database, is retried for ever. */
const cautious = proxyActivities<Activities>({
  ...money,
  retry: { ...money.retry, nonRetryableErrorTypes: ['unexpected', 'blocked'] satisfies FailureType[] },
});

/** Retries every failure for ever: these steps must succeed before the transfer may go on. */
const persistent = proxyActivities<Activities>(money);

export const approve = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Approval>]>('approve');
export const reject = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Rejection>]>('reject');
export const cancel = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Cancellation>]>('cancel');
export const resolve = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Resolution>]>('resolve');

/** A result without the fields that every result has. */
type Ending = WithoutCommon<TransferOutput>;
type WithoutCommon<Result> = Result extends unknown ? Omit<Result, 'transferId' | 'amount'> : never;

/** How a refund ended: refunded, or as the money had been resolved before. */
type Refund = { readonly outcome: 'refunded' } | Extract<Ending, { outcome: 'completed' | 'settled' }>;

/** Undoes what was done, and answers the ending: the wanted one, unless the money was delivered or settled before. */
type Compensate = (wanted: Ending) => Promise<Ending>;

/**
 * Moves money between two accounts, or leaves both untouched: open, above a limit wait for a second person, withdraw,
 * deposit. A cancel, by the action or by Temporal, is honoured while the money can still be refunded.
 */
export async function transfers({ input, context }: Envelope<TransferInput>): Promise<TransferOutput> {
  const { tenant, startedBy, fingerprint } = context;
  const transfer = { tenant, transferId: input.transferId };
  const resultOf = (ending: Ending) => ({ ...ending, transferId: input.transferId, amount: input.amount });
  const { forward, awaitDecision, cancels, refund } = handleActions(transfer);

  // The permanent row is written even after a cancel: every outcome is stored in it.
  const opening = await CancellationScope.nonCancellable(() =>
    persistent.openTransfer({ ...transfer, input, startedBy, fingerprint }),
  );
  if (opening.state !== 'open') {
    cancels.answer('too-late');
    return endWith(opening.state === 'ended' ? opening.result : resultOf({ outcome: 'conflict' }));
  }

  // After retention another caller may start the same transfer. Neither of the two may approve it.
  const requesters = { startedBy: [startedBy, opening.firstStartedBy], requestedBy: input.requestedBy };
  const decide = () => awaitDecision({ requesters, timeoutMs: opening.approvalTimeoutMs });
  const steps = { transfer, refund, decide: opening.approval === 'required' ? decide : undefined };
  const ending = await moveMoney(steps, { forward, cancelledBy: cancels.cancelledBy });

  cancels.refuse('too-late');
  const store = (wanted: Ending) => persistent.endTransfer({ ...transfer, result: resultOf(wanted) });
  const result = await CancellationScope.nonCancellable(() => storeEnding(ending, { store, refund }));
  // The stored result decides: after a reset it may differ from the ending of this run.
  cancels.answer(isWithoutPayment(result.outcome) ? 'accepted' : 'too-late');
  return endWith(result);
}

/** Handles the four actions from the first task on. A cancel stops `forward`; nothing stops `refund`. */
function handleActions(transfer: TransferKey) {
  const forward = new CancellationScope();
  const awaitDecision = handleDecisions({ approve, reject });
  const cancels = handleCancels(cancel, forward);
  const compensation = createCompensation<Refund>({
    onStuck: () => {
      enterStep('compensation-stuck');
      // The money may still be settled, and a deposit that was given up may still land: whoever cancelled waits.
      if (!patched('cancels-wait-while-stuck')) cancels.answer('accepted');
    },
  });
  handleResolutions(resolve, { compensation, settle: (by) => settle(transfer, by) });

  const refund: Compensate = async (wanted) => {
    cancels.refuse('action-not-allowed');
    enterStep('compensating');
    const refunded = await compensation.run(refundOf(transfer));
    return refunded.outcome === 'refunded' ? wanted : refunded;
  };
  return { forward, awaitDecision, cancels, refund };
}

interface Steps {
  readonly transfer: TransferKey;
  readonly refund: Compensate;
  /** Undefined where no second person is asked. */
  readonly decide: (() => Promise<Decision | undefined>) | undefined;
}

/** Takes the steps forward, then undoes them where the transfer was cancelled or cannot complete. */
async function moveMoney(
  steps: Steps,
  { forward, cancelledBy }: { forward: CancellationScope; cancelledBy: () => string | undefined },
): Promise<Ending> {
  const undo: Compensate[] = [];
  const reached = await forward.run(() => goForward(steps, undo)).catch(endingOfFailure);
  // A cancel that comes later changes nothing.
  const isCancelled = forward.consideredCancelled && reached.outcome !== 'completed';
  let ending: Ending = isCancelled ? { outcome: 'cancelled', by: cancelledBy() } : reached;
  if (reached.outcome === 'compensated') for (const compensate of undo) ending = await compensate(ending);
  return ending;
}

/** Takes the steps in order. A `compensated` ending is true only once the caller has run what stands in `undo`. */
async function goForward({ transfer, refund, decide }: Steps, undo: Compensate[]): Promise<Ending> {
  let approvedBy: Actor | undefined;
  if (decide !== undefined) {
    enterStep('awaiting-approval');
    const decision = await decide();
    if (decision === undefined) return { outcome: 'expired' };
    const { approved, note, by } = decision;
    if (!approved) return { outcome: 'rejected', reason: 'declined', note, by: by.sub };
    approvedBy = by;
  }

  // One refund undoes both steps. It is registered before anything that a cancel can stop: an earlier run, forgotten
  // after retention, may have taken the money.
  undo.push(refund);
  if (approvedBy !== undefined) await persistent.recordApproval({ ...transfer, by: approvedBy });

  enterUnlessCancelled('withdrawing');
  const withdrawal = await cautious.withdraw(transfer);
  if (withdrawal.kind === 'rejected') return { outcome: 'rejected', reason: withdrawal.reason };
  if (withdrawal.kind === 'conflict') return withdrawalUndone;

  enterUnlessCancelled('depositing');
  const deposit = await cautious.deposit(transfer);
  if (deposit.kind === 'posted') return { outcome: 'completed' };
  return deposit.kind === 'refused' ? { outcome: 'compensated', reason: 'deposit-refused' } : withdrawalUndone;
}

function enterUnlessCancelled(step: string): void {
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('Cancelled between two steps');
  enterStep(step);
}

/** A step that was cancelled, or that failed for good, may have moved the money. Any other error is a defect. */
function endingOfFailure(error: unknown): Ending {
  if (error instanceof TemporalFailure) return withdrawalUndone;
  throw error;
}

/**
 * Stores how the transfer ended, and answers the result that stands. After a reset this run may not know of money that
 * moved before: the row refuses such an ending, and the transfer ends as its money did.
 */
async function storeEnding(
  ending: Ending,
  { store, refund }: { store: (ending: Ending) => ReturnType<Activities['endTransfer']>; refund: Compensate },
): Promise<TransferOutput> {
  enterStep('ending');
  const stored = await store(ending);
  if ('outcome' in stored) return stored;
  const wanted = ending.outcome === 'cancelled' ? ending : withdrawalUndone;
  const actual = stored.money === 'reserved' ? await refund(wanted) : endingOf(stored.money);
  return storeEnding(actual, { store, refund });
}

const refundOf = (transfer: TransferKey): Undo<Refund> => ({
  attempt: async () => refundedBy(await cautious.refund(transfer)),
  insist: async () => refundedBy(await persistent.refund(transfer)),
});

const refundedBy = (answer: Awaited<ReturnType<Activities['refund']>>): Refund =>
  answer.kind === 'conflict' ? endingOf(answer.with) : { outcome: 'refunded' };

/** Books the money to suspense. Undefined where there is none to settle. */
async function settle(
  transfer: TransferKey,
  by: { readonly note: string; readonly settledBy: string },
): Promise<Refund | undefined> {
  const answer = await persistent.settle(transfer);
  if (answer.kind === 'settled') return { outcome: 'settled', ...by };
  if (answer.kind === 'nothing-reserved') return undefined;
  return answer.with === 'posted' ? endingOf('posted') : { outcome: 'refunded' };
}

/** True for outcomes after which the payee can never get the money of this transfer. */
const isWithoutPayment = (outcome: TransferOutput['outcome']): boolean =>
  outcome === 'cancelled' || outcome === 'compensated' || outcome === 'rejected' || outcome === 'expired';

const withdrawalUndone = { outcome: 'compensated', reason: 'withdrawal-undone' } as const;

/** The ending of money that was resolved before. The note of such a settlement is lost with the run that made it. */
const endingOf = (resolved: 'posted' | 'settled') =>
  resolved === 'posted'
    ? ({ outcome: 'completed' } as const)
    : ({ outcome: 'settled', note: 'Settled before' } as const);
