import { CancelledFailure, TemporalFailure } from '@temporalio/common';
import { CancellationScope, defineUpdate } from '@temporalio/workflow';
import type { Opening } from '../activities/transfers.ts';
import type { TransferKey } from '../src/adapters/ledger/phases.ts';
import type { MoneyStanding } from '../src/adapters/ledger/records.ts';
import type {
  Accepted,
  Approval,
  Cancellation,
  Rejection,
  Resolution,
  TransferInput,
  TransferOutput,
} from '../src/catalog/transfers.ts';
import type { ActionAnswer, ActionCall, Envelope } from '../src/definition/envelope.ts';
import { handleAction, refuseAction } from './instance/actions.ts';
import { type AwaitDecision, type Decision, handleDecisions, type Requesters } from './instance/approval.ts';
import { handleCancels } from './instance/cancellation.ts';
import { type Compensation, createCompensation, type Undo } from './instance/compensation.ts';
import { endWith, enterStep } from './instance/steps.ts';
import { type Activities, cautious, persistent } from './transfer-activities.ts';

export const approve = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Approval>]>('approve');
export const reject = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Rejection>]>('reject');
export const cancel = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Cancellation>]>('cancel');
export const resolve = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Resolution>]>('resolve');

/** An end without the fields that every result has. */
type Ending = WithoutCommon<TransferOutput>;
type WithoutCommon<Result> = Result extends unknown ? Omit<Result, 'transferId' | 'amount'> : never;

/** The note of a settlement whose own is lost with the run that made it. */
const settledBefore = 'Settled before';

/** Why money that was taken, or may have been, goes back. */
type UndoReason = Extract<TransferOutput, { outcome: 'compensated' }>['reason'];

/** What became of money that was to go back. */
type Undone =
  | { readonly fate: 'returned' | 'landed' }
  | { readonly fate: 'settled'; readonly note: string; readonly settledBy?: string };

/**
 * Moves money between two accounts, or leaves both untouched: open, above a limit wait for a second person, withdraw,
 * deposit. A cancel, the action as well as Temporal's own, is honoured while the money can still be returned.
 */
export async function transfers({ input, context }: Envelope<TransferInput>): Promise<TransferOutput> {
  const transfer = { tenant: context.tenant, transferId: input.transferId };
  const { startedBy, fingerprint } = context;
  const resultOf = (ending: Ending) => ({ ...ending, transferId: input.transferId, amount: input.amount });
  const storeEnd = (ending: Ending) => persistent.endTransfer({ ...transfer, result: resultOf(ending) });

  const road = new CancellationScope();
  const awaitDecision = handleDecisions({ approve, reject });
  const verdict = handleCancels(cancel, road);
  const compensation = createCompensation<Undone>({
    onStuck: () => {
      enterStep('compensation-stuck');
      verdict.give('accepted');
    },
  });
  handleResolutions(transfer, compensation);

  // The permanent row comes first, cancelled or not: every outcome needs a place to end in.
  const opening = await CancellationScope.nonCancellable(() =>
    persistent.openTransfer({ ...transfer, input, startedBy, fingerprint }),
  );
  if (opening.state !== 'open') {
    verdict.give('too-late');
    return endWith(opening.state === 'ended' ? opening.result : resultOf({ outcome: 'conflict' }));
  }
  // Either may be the one whose request this is: who starts it now, and who did before Temporal forgot it.
  const requesters = { startedBy: [startedBy, opening.firstStartedBy], requestedBy: input.requestedBy };
  const { cancelledBy } = verdict;
  const journey = { transfer, opening, requesters, road, awaitDecision, compensation, cancelledBy, storeEnd };
  const ending = await moveMoney(journey);
  verdict.close();
  const result = await CancellationScope.nonCancellable(() => end(journey, ending));
  // Not before the end is stored, which may be another than this run came to.
  verdict.give(result.outcome === 'completed' || result.outcome === 'settled' ? 'too-late' : 'accepted');
  return endWith(result);
}

interface Journey {
  readonly transfer: TransferKey;
  readonly opening: Extract<Opening, { state: 'open' }>;
  readonly requesters: Requesters;
  readonly road: CancellationScope;
  readonly awaitDecision: AwaitDecision;
  readonly compensation: Compensation<Undone>;
  readonly cancelledBy: () => string | undefined;
  readonly storeEnd: (ending: Ending) => ReturnType<Activities['endTransfer']>;
}

async function moveMoney(journey: Journey): Promise<Ending> {
  const { road, cancelledBy } = journey;
  const undo: Undo<Undone>[] = [];
  const stop = await road.run(() => goForward(journey, undo)).catch(reasonOf);
  // From here on a cancel changes nothing any more.
  const cancelled = road.consideredCancelled ? ({ outcome: 'cancelled', by: cancelledBy() } as const) : undefined;
  if (typeof stop !== 'string') return stop.outcome === 'completed' ? stop : (cancelled ?? stop);
  const [wayBack] = undo;
  if (wayBack === undefined) return { outcome: 'cancelled', by: cancelledBy() };
  return goBack(journey, { wayBack, returned: cancelled ?? { outcome: 'compensated', reason: stop } });
}

/** Ends as `returned` says, unless the money turns out to be elsewhere. */
async function goBack(
  { compensation }: Journey,
  { wayBack, returned }: { wayBack: Undo<Undone>; returned: Ending },
): Promise<Ending> {
  enterStep('compensating');
  const undone = await compensation.run(wayBack);
  switch (undone.fate) {
    case 'landed':
      return { outcome: 'completed' };
    case 'settled':
      return { outcome: 'settled', note: undone.note, settledBy: undone.settledBy };
    case 'returned':
      return returned;
  }
}

/** Ends the permanent row. After a reset this run may not know of the money that moved: then it ends as the money did. */
async function end(journey: Journey, ending: Ending): Promise<TransferOutput> {
  enterStep('ending');
  const stored = await journey.storeEnd(ending);
  if ('outcome' in stored) return stored;
  return end(journey, await endingOf(stored, journey, ending));
}

async function endingOf({ money }: MoneyStanding, journey: Journey, wanted: Ending): Promise<Ending> {
  if (money === 'posted') return { outcome: 'completed' };
  if (money === 'settled') return { outcome: 'settled', note: settledBefore };
  const returned =
    wanted.outcome === 'cancelled' ? wanted : ({ outcome: 'compensated', reason: 'withdrawal-undone' } as const);
  return goBack(journey, { wayBack: refundOf(journey.transfer), returned });
}

/** Ends before any money moved, or with it at the payee, or with the reason for which it must go back. */
async function goForward(journey: Journey, undo: Undo<Undone>[]): Promise<Ending | UndoReason> {
  const { transfer, opening, requesters, awaitDecision } = journey;
  let decision: Decision | undefined;
  if (opening.approval === 'required') {
    enterStep('awaiting-approval');
    decision = await awaitDecision({ requesters, timeoutMs: opening.approvalTimeoutMs });
    if (decision === undefined) return { outcome: 'expired' };
    if (!decision.approved) {
      return { outcome: 'rejected', reason: 'declined', note: decision.note, by: decision.by.sub };
    }
  }

  // Before the steps, whose outcome may stay unknown, and before anything a cancel can stop: a life that Temporal has
  // forgotten may have taken the money. The refund takes back both steps, whichever of them took place.
  undo.push(refundOf(transfer));
  if (decision !== undefined) await persistent.recordApproval({ ...transfer, by: decision.by });

  enterUnlessCancelled('withdrawing');
  const withdrawal = await cautious.withdraw(transfer);
  if (withdrawal.kind === 'rejected') return { outcome: 'rejected', reason: withdrawal.reason };
  if (withdrawal.kind === 'conflict') return 'withdrawal-undone';

  enterUnlessCancelled('depositing');
  const deposit = await cautious.deposit(transfer);
  if (deposit.kind === 'posted') return { outcome: 'completed' };
  return deposit.kind === 'refused' ? 'deposit-refused' : 'withdrawal-undone';
}

function enterUnlessCancelled(step: string): void {
  if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('Cancelled between two steps');
  enterStep(step);
}

/** A step that was cancelled or that failed for good leaves open what it did. */
function reasonOf(error: unknown): UndoReason {
  if (error instanceof TemporalFailure) return 'withdrawal-undone';
  throw error;
}

const refundOf = (transfer: TransferKey): Undo<Undone> => ({
  attempt: async () => undoneBy(await cautious.refund(transfer)),
  insist: async () => undoneBy(await persistent.refund(transfer)),
});

function undoneBy(answer: Awaited<ReturnType<Activities['refund']>>): Undone {
  if (answer.kind !== 'conflict') return { fate: 'returned' };
  return answer.with === 'posted' ? { fate: 'landed' } : { fate: 'settled', note: settledBefore };
}

/** Undefined where there is nothing that could be settled. */
async function settle(
  transfer: TransferKey,
  by: { readonly note: string; readonly settledBy: string },
): Promise<Undone | undefined> {
  const answer = await persistent.settle(transfer);
  if (answer.kind === 'settled') return { fate: 'settled', ...by };
  if (answer.kind === 'nothing-reserved') return undefined;
  return { fate: answer.with === 'posted' ? 'landed' : 'returned' };
}

function handleResolutions(transfer: TransferKey, compensation: Compensation<Undone>): void {
  handleAction(resolve, {
    validate: () => {
      if (!compensation.isStuck()) refuseAction('action-not-allowed');
    },
    apply: async ({ input, actor }) => {
      if (input.how === 'retry') {
        compensation.retryNow();
        return { accepted: true };
      }
      const undone = await compensation.replaceBy(() => settle(transfer, { note: input.note, settledBy: actor.sub }));
      if (undone === undefined) refuseAction('action-not-allowed');
      return undone.fate === 'settled' ? { accepted: true } : refuseAction('too-late');
    },
  });
}
