import { WorkflowFailedError } from '@temporalio/client';
import { type InstanceAddress, refOf } from './address.ts';
import { type CallDependencies, within } from './calls.ts';
import { readProblemOf } from './failures.ts';
import { workflowIdOf } from './identity.ts';
import { createWaits, type WaitOutcome } from './waits.ts';

const waitLimits = {
  // A frontend bounds long-running calls per namespace at 1,200 by default.
  maxPolls: 1_000,
  // At most half of HTTP's 2,000 connections may wait.
  maxWaiters: 1_000,
  maxWaitersOfTenant: 500,
};

// The server answers a long poll after 20 s. Asking anew more often lets a wait survive a lost connection.
const sliceMs = 5_000;

/** The gateway's part that waits for instances to close and fetches how they ended. */
export function createResults(dependencies: CallDependencies) {
  const { client, connection, deadlines } = dependencies;
  const poll = (workflowId: string, signal: AbortSignal) => pollUntilClosed(dependencies, workflowId, signal);
  const waits = createWaits({ poll, ...waitLimits });

  return {
    /** Resolves once the instance has closed, after `waitMs`, or at once where too many wait already. Never rejects. */
    untilClosed: (address: InstanceAddress, waitMs: number, signal?: AbortSignal): Promise<WaitOutcome> =>
      waits.untilClosed({ tenant: address.tenant, workflowId: workflowIdOf(refOf(address)) }, waitMs, signal),

    /** Ends every wait, and lets none begin. */
    endWaits: (): void => waits.end(),

    /**
     * The result of an instance that has closed; undefined where it ended without one (failed, terminated, timed out).
     * Throws a read Problem.
     */
    async result(address: InstanceAddress, signal?: AbortSignal): Promise<unknown> {
      const workflowId = workflowIdOf(refOf(address));
      try {
        return await within(connection, { deadlineMs: deadlines.readMs, signal }, () =>
          client.workflow.result<() => Promise<unknown>>(workflowId),
        );
      } catch (error) {
        if (error instanceof WorkflowFailedError) return undefined;
        throw readProblemOf(error);
      }
    },
  };
}

/** Long-polls until the instance has closed; false when aborted or when the poll fails. */
async function pollUntilClosed(
  { client, connection }: CallDependencies,
  workflowId: string,
  signal: AbortSignal,
): Promise<boolean> {
  while (!signal.aborted) {
    const slice = AbortSignal.timeout(sliceMs);
    const limits = { deadlineMs: 2 * sliceMs, signal: AbortSignal.any([signal, slice]) };
    try {
      await within(connection, limits, () => client.workflow.result(workflowId));
      return true;
    } catch (error) {
      if (error instanceof WorkflowFailedError) return true;
      if (!slice.aborted) return false;
    }
  }
  return false;
}
