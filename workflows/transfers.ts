import { CancelledFailure, TemporalFailure } from '@temporalio/common';
import { CancellationScope, defineQuery, defineUpdate, patched, setHandler } from '@temporalio/workflow';
import type { TransferKey } from '../src/adapters/ledger/phases.ts';
import type {
  Accepted,
  Approval,
  Cancellation,
  Confirmation,
  Proposal,
  Rejection,
  Resolution,
  Resolved,
  TransferInput,
  TransferOutput,
} from '../src/catalog/transfers.ts';
import type { ActionAnswer, ActionCall, Actor, Envelope } from '../src/definition/envelope.ts';
import { type Decision, handleDecisions } from './instance/approval.ts';
import { handleCancels } from './instance/cancellation.ts';
import { createCompensation } from './instance/compensation.ts';
import { handleResolutions } from './instance/resolution.ts';
import { endWith, enterStep } from './instance/steps.ts';
import { type Begin, byCompleting, byOpening } from './transfers/beginning.ts';
import {
  type Compensate,
  type Ending,
  ledgerLost,
  type Stored,
  storeEnding,
  withdrawalUndone,
} from './transfers/ending.ts';
import { cautious, persistent } from './transfers/money.ts';
import { type Refund, refundOf, settle } from './transfers/undoing.ts';

export const approve = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Approval>]>('approve');
export const reject = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Rejection>]>('reject');
export const cancel = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Cancellation>]>('cancel');
export const resolve = defineUpdate<ActionAnswer<Resolved>, [ActionCall<Resolution>]>('resolve');
export const confirm = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Confirmation>]>('confirm');
export const proposal = defineQuery<Proposal>('proposal');

/**
 * Moves money between two accounts, or leaves both untouched: open, above a limit wait for a second person, withdraw,
 * deposit. A cancel, by the action or by Temporal, is honoured while the money can still be refunded.
 */
export async function transfers(envelope: Envelope<TransferInput>): Promise<TransferOutput> {
  return transferBy(byOpening, envelope);
}

/**
 * The same contract. Where nobody has to approve the transfer and both accounts take it, its first step completes it;
 * otherwise the steps of {@link transfers} follow.
 */
export async function transfersAtOnce(envelope: Envelope<TransferInput>): Promise<TransferOutput> {
  return transferBy(byCompleting, envelope);
}

async function transferBy(begin: Begin, { input, context }: Envelope<TransferInput>): Promise<TransferOutput> {
  const { tenant, startedBy, alsoAskedBy = [], fingerprint } = context;
  const transfer = { tenant, transferId: input.transferId };
  const resultOf = (ending: Ending) => ({ ...ending, transferId: input.transferId, amount: input.amount });
  const { forward, decisions, cancels, refund, storing } = handleActions(transfer);

  // The permanent row is written even after a cancel: every outcome is stored in it.
  const order = { ...transfer, input, startedBy, fingerprint };
  const open = () => CancellationScope.nonCancellable(() => persistent.openTransfer(order));
  const opening = await begin({ order, open, forward });
  if (opening.state !== 'open' || opening.approval !== 'required') decisions.refuse();
  if (opening.state !== 'open') {
    cancels.answer('too-late');
    return endWith(opening.state === 'ended' ? opening.result : resultOf({ outcome: 'conflict' }));
  }

  // After retention another caller may start the same transfer. Neither of the two may approve it.
  const starters = [startedBy, opening.firstStartedBy, ...alsoAskedBy];
  const requesters = { startedBy: starters, requestedBy: input.requestedBy };
  const decide = () => decisions.awaitDecision({ requesters, timeoutMs: opening.approvalTimeoutMs });
  const steps = { transfer, open, refund, decide: opening.approval === 'required' ? decide : undefined };
  const ending = await moveMoney(steps, { forward, cancelledBy: cancels.cancelledBy });

  cancels.refuse('too-late');
  const result = await CancellationScope.nonCancellable(() =>
    storeEnding(ending, { transfer, resultOf, refund, open, storing }),
  );
  // The stored result decides: after a reset it may differ from the ending of this run.
  cancels.answer(isWithoutPayment(result.outcome) ? 'accepted' : 'too-late');
  return endWith(result);
}

/** Handles the actions from the first task on. A cancel stops `forward`; nothing stops `refund`. */
function handleActions(transfer: TransferKey) {
  const forward = new CancellationScope();
  const decisions = handleDecisions({ approve, reject });
  const cancels = handleCancels(cancel, forward);
  const compensation = createCompensation<Refund>({
    onStuck: () => {
      enterStep('compensation-stuck');
      // The money may still be settled, and a deposit that was given up may still land: whoever cancelled waits.
      if (!patched('cancels-wait-while-stuck')) cancels.answer('accepted');
    },
  });
  const storing = createCompensation<Stored>({ onStuck: () => enterStep('ending-stuck') });
  const resolutions = handleResolutions(
    { resolve, confirm },
    {
      compensation,
      retryable: storing,
      settle: (order) => settle(transfer, order),
      onProposed: () => enterStep('settlement-proposed'),
      onWithdrawn: () => enterStep('compensation-stuck'),
    },
  );
  setHandler(proposal, () => ({ settlement: resolutions.proposal() }));

  const refund: Compensate = async (wanted) => {
    cancels.refuse('action-not-allowed');
    enterStep('compensating');
    const refunded = await compensation.run(refundOf(transfer));
    return refunded.outcome === 'refunded' ? wanted : refunded;
  };
  return { forward, decisions, cancels, refund, storing };
}

interface Steps {
  readonly transfer: TransferKey;
  /** Writes the permanent row, or reads the one that exists. */
  readonly open: () => Promise<unknown>;
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
async function goForward({ transfer, open, refund, decide }: Steps, undo: Compensate[]): Promise<Ending> {
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
  if (approvedBy !== undefined) await recordApproval({ transfer, open }, approvedBy);

  enterUnlessCancelled('withdrawing');
  const withdrawal = await cautious.withdraw(transfer);
  if (withdrawal.kind === 'rejected') return { outcome: 'rejected', reason: withdrawal.reason };
  if (withdrawal.kind === 'conflict') return withdrawal.with === 'unrecorded' ? ledgerLost : withdrawalUndone;

  enterUnlessCancelled('depositing');
  const deposit = await cautious.deposit(transfer);
  if (deposit.kind === 'posted') return { outcome: 'completed' };
  if (deposit.kind === 'conflict') return withdrawalUndone;
  return deposit.reason === 'nothing-reserved' ? ledgerLost : { outcome: 'compensated', reason: 'deposit-refused' };
}

/** The row may be lost since the opening, for an approval waits for days. Nothing of the transfer has moved then. */
async function recordApproval({ transfer, open }: Pick<Steps, 'transfer' | 'open'>, by: Actor): Promise<void> {
  if ((await persistent.recordApproval({ ...transfer, by })) !== 'unrecorded') return;
  await open();
  await persistent.recordApproval({ ...transfer, by });
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

/** True for outcomes after which the payee can never get the money of this transfer. */
const isWithoutPayment = (outcome: TransferOutput['outcome']): boolean =>
  outcome === 'cancelled' || outcome === 'compensated' || outcome === 'rejected' || outcome === 'expired';
