import {
  CancellationScope,
  condition,
  defineQuery,
  defineUpdate,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type {
  Accepted,
  Admitted,
  DelayedTaskDetails,
  DelayedTaskInput,
  DelayedTaskOutput,
  Deliveries,
  Nothing,
  Rescheduled,
  Rescheduling,
} from '../src/catalog/delayed-tasks.ts';
import type { ActionAnswer, ActionCall, Envelope } from '../src/definition/envelope.ts';
import { attempt, bury, type Told } from './delayed-tasks/attempts.ts';
import { handleActions } from './delayed-tasks/decisions.ts';
import { end, expiryMsOf, firstProgress, lastUntil, logAttempt, type Progress } from './delayed-tasks/progress.ts';
import { maxAttemptsOf, pauseMsAfter } from './delayed-tasks/schedule.ts';
import { prepareContinuation } from './instance/continuation.ts';
import { endWith, enterStep, showDetails } from './instance/steps.ts';

export const reschedule = defineUpdate<ActionAnswer<Rescheduled>, [ActionCall<Rescheduling, Admitted>]>('reschedule');
const runNow = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Nothing>]>('run-now');
export { runNow as 'run-now' };
export const cancel = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Nothing>]>('cancel');
export const redeliver = defineUpdate<ActionAnswer<Accepted>, [ActionCall<Nothing>]>('redeliver');
export const deliveries = defineQuery<Deliveries>('deliveries');

// A run takes two thousand actions at most, and a short history is replayed fast.
const maxHistoryEvents = 2_000;
/** Cut-off attempts in a row that count for nothing. A delivery that breaks its worker each time must end. */
const maxLost = 3;

type Task = Envelope<DelayedTaskInput, DelayedTaskDetails>;

/**
 * Waits until the task is due, and delivers it at least once: to a webhook, to a queue, or as the start of a process. What
 * fails is retried by the schedule, then waits as a dead letter. All attempts have one id.
 */
export async function delayedTasks(task: Task, before?: Progress): Promise<DelayedTaskOutput> {
  const { input, details } = task;
  const continueWith = prepareContinuation(task);
  const progress = before ?? firstProgress(Date.parse(details?.dueAt ?? ''));
  const expiresAtMs = expiryMsOf(input);
  const onDueAt = () => showDetails({ ...details, dueAt: new Date(progress.dueAtMs).toISOString() });
  const cancels = handleActions({ reschedule, runNow, cancel, redeliver }, { progress, expiresAtMs, onDueAt });
  setHandler(deliveries, () => deliveriesOf(progress));

  while (progress.ending === undefined) {
    if (progress.phase === 'delivering') await deliverOnce(task, progress, cancels.waitingCancel);
    else if (mustContinue()) return continueWith(() => progress);
    else await pause(progress, expiresAtMs);
  }
  return endWith({ ...progress.ending, attempts: progress.attempts });
}

const mustContinue = (): boolean =>
  workflowInfo().historyLength > maxHistoryEvents || workflowInfo().continueAsNewSuggested;

/** Waits until the phase ends, by itself or by an action. An action that is applied first wins. */
async function pause(progress: Progress, expiresAtMs: number): Promise<void> {
  const { phase, untilMs } = progress;
  const wakeAtMs = Math.min(untilMs, expiresAtMs);
  const isDecided = () => progress.phase !== phase || progress.untilMs !== untilMs;
  try {
    const waitMs = wakeAtMs - Date.now();
    if (waitMs > 0) await condition(() => isDecided() || mustContinue(), waitMs);
  } catch (error) {
    if (!isCancellation(error)) throw error;
    // Temporal's own cancel names nobody.
    if (!isDecided()) end(progress, { outcome: 'cancelled' });
  }
  if (isDecided() || Date.now() < wakeAtMs) return;
  if (Date.now() >= expiresAtMs) end(progress, { outcome: 'expired' });
  else if (phase === 'dead-letter') end(progress, deadBy(progress));
  else progress.phase = 'delivering';
}

/** Makes an attempt, which no cancel stops, and decides how the task goes on. */
async function deliverOnce(
  task: Task,
  progress: Progress,
  waitingCancel: () => { readonly by: string } | undefined,
): Promise<void> {
  enterStep('delivering');
  progress.attempts += 1;
  const at = new Date().toISOString();
  const told = await CancellationScope.nonCancellable(() => attempt(task, progress));
  note(progress, at, told);
  if (told.kind === 'delivered') {
    const { status, started } = told;
    end(progress, { outcome: 'delivered', deliveredAt: new Date().toISOString(), status, started });
    return;
  }
  if (told.kind === 'dead') {
    end(progress, { outcome: 'dead', reason: told.reason, status: told.status });
    return;
  }
  const cancelled = waitingCancel();
  if (cancelled !== undefined) {
    end(progress, { outcome: 'cancelled', by: cancelled.by });
    return;
  }
  if (CancellationScope.current().consideredCancelled) {
    end(progress, { outcome: 'cancelled' });
    return;
  }
  if (told.kind === 'expired') {
    end(progress, { outcome: 'expired' });
    return;
  }
  await waitForNext(task, progress, told);
}

/** Writes down what an attempt came to. One that was not begun is none. */
function note(progress: Progress, at: string, told: Told): void {
  if (told.kind === 'expired' || told.kind === 'deferred') {
    progress.attempts -= 1;
    return;
  }
  progress.lost = told.kind === 'lost' ? progress.lost + 1 : 0;
  if (told.kind !== 'lost' || progress.lost > maxLost) progress.counted += 1;
  const { status, reason } = { status: undefined, reason: undefined, ...told };
  logAttempt(progress, { number: progress.attempts, at, result: told.kind, status, reason });
  if ('deliveryId' in told) progress.deliveryId = told.deliveryId;
}

async function waitForNext(task: Task, progress: Progress, told: Told): Promise<void> {
  const { retry } = task.input;
  if (progress.counted >= maxAttemptsOf(retry)) {
    progress.phase = 'dead-letter';
    progress.untilMs = Infinity;
    enterStep('dead-letter');
    const untilMs = await CancellationScope.nonCancellable(() => bury());
    lastUntil(progress, 'dead-letter', untilMs);
    return;
  }
  const pauseMs =
    told.kind === 'deferred' ? told.forMs : pauseMsAfter(Math.max(1, progress.counted), retry, askedMsOf(told));
  progress.phase = 'retrying';
  progress.untilMs = Date.now() + pauseMs;
  enterStep('retrying');
}

const askedMsOf = (told: Told): number | undefined => (told.kind === 'failed' ? told.retryAfterMs : undefined);

function deadBy({ log }: Progress) {
  const [last] = log;
  return { outcome: 'dead', reason: last?.reason ?? 'lost', status: last?.status } as const;
}

const deliveriesOf = ({ log, attempts, deliveryId, phase, untilMs }: Progress): Deliveries => ({
  deliveryId,
  attempts: log,
  total: attempts,
  nextAttemptAt: phase === 'waiting' || phase === 'retrying' ? new Date(untilMs).toISOString() : undefined,
});
