import { type Client, type Connection, WorkflowFailedError } from '@temporalio/client';
import { readProblemOf } from './failures.ts';
import { type InstanceRef, workflowIdOf } from './identity.ts';
import { type CallLimits, within } from './instances.ts';

// The server answers a long poll after 20 s. Asked anew more often, a wait survives a connection that is lost meanwhile.
const sliceMs = 5_000;

/** Long-polls until the instance has closed; false when aborted or when the poll fails. */
export async function pollUntilClosed(
  { client, connection }: { client: Client; connection: Connection },
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

/**
 * The result of an instance that has closed; undefined where it ended without one (failed, terminated, timed out).
 * Throws a read Problem.
 */
export async function fetchResult(
  { client, connection }: { client: Client; connection: Connection },
  ref: InstanceRef,
  limits: CallLimits,
): Promise<unknown> {
  try {
    return await within(connection, limits, () => client.workflow.result<() => Promise<unknown>>(workflowIdOf(ref)));
  } catch (error) {
    if (error instanceof WorkflowFailedError) return undefined;
    throw readProblemOf(error);
  }
}
