import { setTimeout as sleep } from 'node:timers/promises';
import { outcomesOf, type ProcessDefinition } from '../definition/definition.ts';
import { type InstanceAddress, refOf } from './address.ts';
import type { CallDependencies } from './calls.ts';
import { type CloseEvent, pollForClose, type Progress } from './close-event.ts';
import { decode } from './codec.ts';
import { grpcCode, grpcCodeOf, readProblemOf } from './failures.ts';
import { workflowIdOf } from './identity.ts';
import { type InstanceSnapshot, toTimestamp } from './instances.ts';
import type { Run } from './shared-polls.ts';
import { createWaits } from './waits.ts';

const waitLimits = {
  // A frontend bounds long-running calls per namespace at 1,200 by default.
  maxPolls: 1_000,
  // At most half of HTTP's 2,000 connections may wait.
  maxWaiters: 1_000,
  maxWaitersOfTenant: 500,
};

// The server answers a long poll after 20 s. Asking anew more often lets a wait survive a lost connection.
const sliceMs = 5_000;
const emptyPauseMs = 100;

/** What a wait came to: how the instance ended, with its result, where its own code said so. */
export type WaitedFor =
  | {
      readonly kind: 'ended';
      readonly end: Pick<InstanceSnapshot, 'status' | 'outcome' | 'endedBy' | 'closedAt'>;
      readonly result: unknown;
    }
  /** The run has closed. How the instance stands is to be read. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'running' }
  /** Too many wait already. */
  | { readonly kind: 'not-waited' };

/** The gateway's part that waits for instances to close and fetches how they ended. */
export function createResults(dependencies: CallDependencies) {
  const { deadlines } = dependencies;
  const poll = (run: Run, signal: AbortSignal) => pollUntilClosed(dependencies, run, signal);
  const waits = createWaits({ poll, ...waitLimits });

  return {
    /**
     * Waits for the end of the run that the snapshot of an instance names: until it has closed, for `waitMs`, or not at all
     * where too many wait already. Never rejects.
     */
    async untilClosed(
      address: InstanceAddress,
      { currentRun }: Pick<InstanceSnapshot, 'currentRun'>,
      waitMs: number,
      signal?: AbortSignal,
    ): Promise<WaitedFor> {
      const run = { workflowId: workflowIdOf(refOf(address)), runId: currentRun ?? '' };
      const waited = await waits.untilClosed({ tenant: address.tenant, ...run }, waitMs, signal);
      if (waited.kind !== 'closed') return waited;
      // Without the id of its run the end may be that of a later instance.
      return !currentRun ? { kind: 'closed' } : endOf(address.definition, waited.end);
    },

    /** Ends every wait, and lets none begin. */
    endWaits: (): void => waits.end(),

    /**
     * The result of an instance that has closed; undefined where it ended without one (failed, terminated, timed out).
     * Throws a read Problem.
     */
    async result(address: InstanceAddress, signal?: AbortSignal): Promise<unknown> {
      const endsAtMs = performance.now() + deadlines.readMs;
      let progress: Progress = { run: { workflowId: workflowIdOf(refOf(address)) } };
      try {
        for (;;) {
          const limits = { deadlineMs: Math.max(1, endsAtMs - performance.now()), signal };
          const told = await pollForClose(dependencies, progress, limits);
          if ('event' in told) return await resultOf(told.event);
          ({ progress } = told);
        }
      } catch (error) {
        throw readProblemOf(error);
      }
    },
  };
}

/** Long-polls until the run has closed; undefined when aborted, or when a poll fails otherwise than by our own deadline. */
async function pollUntilClosed(
  dependencies: CallDependencies,
  run: Run,
  signal: AbortSignal,
): Promise<CloseEvent | undefined> {
  let progress: Progress = { run };
  while (!signal.aborted) {
    const beganAtMs = performance.now();
    const tookMs = () => performance.now() - beganAtMs;
    try {
      const told = await pollForClose(dependencies, progress, { deadlineMs: sliceMs, signal });
      if ('event' in told) return told.event;
      ({ progress } = told);
      // Whoever answers a long poll at once without saying anything is not asked without end.
      if (tookMs() < emptyPauseMs) await sleep(emptyPauseMs, undefined, { signal }).catch(() => undefined);
    } catch (error) {
      // Somebody on the way has a shorter patience than ours, or none.
      if (grpcCodeOf(error) !== grpcCode.DEADLINE_EXCEEDED || tookMs() < sliceMs / 2) return undefined;
    }
  }
  return undefined;
}

const resultOf = ({ workflowExecutionCompletedEventAttributes: completed }: CloseEvent): Promise<unknown> =>
  decode(completed?.result?.payloads?.[0]);

/**
 * What the last event of a run says. A process publishes the outcome that its result has, and completes. Any other end is
 * not the last word: the engine may have stopped the run, and a reset may have begun another.
 */
async function endOf(definition: ProcessDefinition, event: CloseEvent): Promise<WaitedFor> {
  const result = await resultOf(event).catch(() => undefined);
  const closedAt = toTimestamp(event.eventTime);
  if (closedAt === undefined || typeof result !== 'object' || result === null || !('outcome' in result))
    return { kind: 'closed' };
  const outcome = outcomesOf(definition).find((each) => each === result.outcome);
  if (outcome === undefined) return { kind: 'closed' };
  return { kind: 'ended', end: { status: 'closed', outcome, endedBy: 'process', closedAt }, result };
}
