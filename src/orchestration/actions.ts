import {
  type Client,
  type Connection,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ActionAnswer, ActionCall } from '../definition/envelope.ts';
import { Problem, type ProblemCode, problems } from '../problems.ts';
import { grpcCode, grpcErrorOf, isWithoutEffect, mutationProblemOf, readProblemOf } from './failures.ts';
import { type InstanceRef, workflowIdOf } from './identity.ts';
import { type CallLimits, describeInstance, within } from './instances.ts';

interface ActionDependencies {
  readonly client: Client;
  readonly connection: Connection;
  readonly namespace: string;
}

/**
 * Applies an action at most once for its `updateId` and gives its output; a repetition gets the first answer, also after
 * the instance has closed. Throws the problem the instance refused with, `too-late` where it has closed, `not-found`,
 * `idempotency-mismatch` where the id was used for another call, `outcome-unknown` where no answer came in time.
 */
export async function applyAction(
  dependencies: ActionDependencies,
  ref: InstanceRef,
  action: { name: string; updateId: string; call: ActionCall<unknown> },
  limits: CallLimits,
): Promise<unknown> {
  const answer = await update(dependencies, ref, action, limits);
  if (answer.fingerprint !== action.call.fingerprint) throw new Problem('idempotency-mismatch');
  return answer.output;
}

async function update(
  dependencies: ActionDependencies,
  ref: InstanceRef,
  action: { name: string; updateId: string; call: ActionCall<unknown> },
  limits: CallLimits,
): Promise<ActionAnswer<unknown>> {
  const { client, connection } = dependencies;
  const handle = client.workflow.getHandle(workflowIdOf(ref));
  try {
    return await within(connection, limits, () =>
      handle.executeUpdate<ActionAnswer<unknown>, [ActionCall<unknown>]>(action.name, {
        updateId: action.updateId,
        args: [action.call],
      }),
    );
  } catch (error) {
    // Also what a message to a closed instance is answered with.
    if (error instanceof WorkflowNotFoundError) return earlierAnswer(dependencies, ref, action.updateId, limits);
    throw actionProblemOf(error);
  }
}

/** The answer that the same action got before the instance closed. */
async function earlierAnswer(
  dependencies: ActionDependencies,
  ref: InstanceRef,
  updateId: string,
  limits: CallLimits,
): Promise<ActionAnswer<unknown>> {
  const { client, connection } = dependencies;
  const described = await describeInstance(dependencies, ref, limits).catch((cause: unknown) => {
    // An attempt before the one that met a closed instance may have been applied, and have closed it.
    throw new Problem('outcome-unknown', { cause });
  });
  if (described === undefined) throw new Problem('not-found');
  try {
    const handle = client.workflow.getHandle(workflowIdOf(ref)).getUpdateHandle<ActionAnswer<unknown>>(updateId);
    return await within(connection, limits, () => handle.result());
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw actionProblemOf(error);
    throw new Problem(described.snapshot.status === 'closed' ? 'too-late' : 'orchestration-unavailable', {
      cause: error,
    });
  }
}

const isProblemCode = (type: string | null | undefined): type is ProblemCode =>
  typeof type === 'string' && Object.hasOwn(problems, type);

function actionProblemOf(error: unknown): Problem {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
    return new Problem('outcome-unknown', { cause: error });
  if (error instanceof WorkflowUpdateFailedError) {
    const type = error.cause instanceof ApplicationFailure ? error.cause.type : undefined;
    if (isProblemCode(type)) return new Problem(type, { cause: error });
    // The server's word for an action that had begun when the instance closed; it never changes.
    if (type === 'AcceptedUpdateCompletedWorkflow') return new Problem('too-late', { effect: 'unknown', cause: error });
    // Not in our own words: a worker with older code, which does not know the action or takes no updates at all.
    // It leaves no trace, and another worker may answer the repetition.
    return new Problem('orchestration-unavailable', { cause: error });
  }
  const problem = mutationProblemOf(error);
  const cap = isWithoutEffect(error) ? capOf(error) : undefined;
  return cap === undefined ? problem : new Problem(cap, { cause: error });
}

/**
 * The caps of a run: ten actions at once, two thousand in all. Only its words tell the second from a run whose code fails
 * at the moment (WorkflowNotReady), which has the same code; what is not recognised may be repeated.
 */
function capOf(error: unknown): ProblemCode | undefined {
  const { code, details } = grpcErrorOf(error) ?? {};
  if (code === grpcCode.RESOURCE_EXHAUSTED) return 'rate-limited';
  const isFull =
    code === grpcCode.FAILED_PRECONDITION && details?.includes('limit on the total number of distinct updates');
  return isFull ? 'action-not-allowed' : undefined;
}

/** Asks the instance's own code; needs a worker that runs, also for a closed instance. Throws a read Problem. */
export async function queryView(
  { client, connection }: ActionDependencies,
  ref: InstanceRef,
  view: string,
  limits: CallLimits,
): Promise<unknown> {
  try {
    return await within(connection, limits, () => client.workflow.getHandle(workflowIdOf(ref)).query(view));
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new Problem('not-found', { cause: error });
    throw readProblemOf(error);
  }
}
