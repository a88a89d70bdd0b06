import { ApplicationFailure, defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import {
  CancellationScope,
  condition,
  continueAsNew,
  patched,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { createScheduleActivities } from '../activities/schedules.ts';
import type { FiringResult, ScheduledLaunch } from '../src/definition/scheduled-launch.ts';

// A firing that has begun is made good however long that takes: every activity may be repeated.
const { fire, miss, look, cancelFired } = proxyActivities<ReturnType<typeof createScheduleActivities>>({
  // A worker that was killed holds a firing up for so long.
  startToCloseTimeout: '15s',
  retry: { initialInterval: '200ms', maximumInterval: '30s', nonRetryableErrorTypes: ['unexpected'] },
});

const nominalTime = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);

const shortestPauseMs = 1_000;
const longestPauseMs = 60_000;
/** The instance is looked at ten times in its present age. */
const looksInAge = 10;
const looksOfOneRun = 200;

/** What a run that goes on for another one knows. */
interface Begun {
  readonly key: string;
  readonly result: FiringResult;
  readonly sinceMs: number;
  /** Where the engine has cancelled the firing: whether the instance has taken that. */
  readonly cancel?: 'wanted' | 'accepted';
  /** How often the instance was asked to cancel itself. */
  readonly asked?: number;
}

/**
 * One firing of a schedule: starts the instance, and lasts until it has closed where the overlap policy asks for that. A
 * cancel by the engine comes from that policy, and is passed on to the instance. Fails where nothing could be started, or
 * where the engine ended the instance.
 */
export async function launches({ launch }: { readonly launch: ScheduledLaunch }, begun?: Begun): Promise<FiringResult> {
  const cancel = { isWanted: begun?.cancel !== undefined };
  CancellationScope.current().cancelRequested.catch(() => (cancel.isWanted = true));
  return CancellationScope.nonCancellable(async () => {
    const started = begun ?? (await begin(launch));
    if (started === 'missed' || !launch.waits) return started === 'missed' ? started : started.result;
    return untilClosed(launch, started, cancel);
  });
}

async function begin(launch: ScheduledLaunch): Promise<Begun | 'missed'> {
  const { startTime, typedSearchAttributes } = workflowInfo();
  const begunAtMs = startTime.getTime();
  if (Date.now() - begunAtMs > launch.catchUpMs) {
    await miss({ launch, begunAtMs });
    return 'missed';
  }
  const time = (typedSearchAttributes.get(nominalTime) ?? startTime).toISOString().replace(/\.[0-9]+Z$/, 'Z');
  const launched = await fire({ launch, time, begunAtMs });
  if (launched.kind === 'refused') throw ApplicationFailure.nonRetryable(launched.code, launched.code);
  return { key: launched.key, result: launched.kind, sinceMs: Date.now() };
}

async function untilClosed(
  launch: ScheduledLaunch,
  begun: Begun,
  cancel: { readonly isWanted: boolean },
): Promise<FiringResult> {
  const { key, result, sinceMs } = begun;
  let isCancelled = begun.cancel === 'accepted';
  let isOneRun = false;
  let { asked = 0 } = begun;
  for (let looks = 1; isOneRun || looks <= looksOfOneRun; looks += 1) {
    if (cancel.isWanted && !isCancelled) {
      asked += 1;
      isCancelled = (await cancelFired({ launch, key, asked })) === 'accepted';
    }
    const state = await look({ launch, key });
    if (state === 'failed') throw ApplicationFailure.nonRetryable('the engine ended the instance', 'instance-failed');
    if (state === 'ended') return result;
    const pauseMs = Math.min(Math.max((Date.now() - sinceMs) / looksInAge, shortestPauseMs), longestPauseMs);
    const wasWanted = cancel.isWanted;
    await condition(() => cancel.isWanted !== wasWanted, pauseMs);
    // Asked once, because the answer may change when a replay ends. Runs from before the patch end with their instance.
    if (looks === looksOfOneRun) isOneRun = cancel.isWanted && !patched('continue-cancelled-firings');
  }
  const next = cancel.isWanted ? ({ ...begun, asked, cancel: isCancelled ? 'accepted' : 'wanted' } as const) : begun;
  return continueAsNew<(order: { launch: ScheduledLaunch }, begun: Begun) => Promise<FiringResult>>({ launch }, next);
}
