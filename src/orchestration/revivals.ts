import proto from '@temporalio/proto';
import { type InstanceAddress, refOf } from './address.ts';
import type { CallDependencies } from './calls.ts';
import { isInstanceMissing, mutationProblemOf, readProblemOf } from './failures.ts';
import { workflowIdOf } from './identity.ts';
import { describeInstance, type InstanceSnapshot } from './instances.ts';
import { methods } from './methods.ts';

/** How an instance was found by those who may resume it. */
export type Condition =
  | { readonly kind: 'running' }
  /** The engine knows of no such instance, or no longer. */
  | { readonly kind: 'forgotten' }
  /** `token` names this closing: an instance that was resumed meanwhile is not resumed again by it. */
  | { readonly kind: 'closed'; readonly snapshot: InstanceSnapshot; readonly token: string };

const { EventType } = proto.temporal.api.enums.v1;

/** The gateway's part that resumes instances which the engine closed. */
export const createRevivals = (dependencies: CallDependencies) => ({
  /** One Describe. Throws a read Problem. */
  async conditionOf(address: InstanceAddress, signal?: AbortSignal): Promise<Condition> {
    const limits = { deadlineMs: dependencies.deadlines.readMs, signal };
    const described = await describeInstance(dependencies, refOf(address), limits);
    if (described === undefined) return { kind: 'forgotten' };
    if (described.snapshot.status === 'running') return { kind: 'running' };
    return { kind: 'closed', snapshot: described.snapshot, token: described.currentRun };
  },

  /**
   * Lets a closed instance begin anew under its id, its actions heard again: a reset to its first workflow task. Twice
   * with one token is once. Throws a read or a mutation Problem.
   */
  async resume(address: InstanceAddress, token: string): Promise<void> {
    const { connection, namespace, deadlines } = dependencies;
    const workflowId = workflowIdOf(refOf(address));
    const workflowExecution = { workflowId, runId: token };
    const workflowTaskFinishEventId = await firstTaskOf(dependencies, workflowExecution);
    try {
      await connection.within({ deadlineMs: deadlines.actionMs }).workflowService.resetWorkflowExecution({
        namespace,
        workflowExecution,
        reason: 'resumed by the reconciler: its permanent row has no outcome',
        workflowTaskFinishEventId,
        // The server takes a second request of one id for a retry of the first.
        requestId: `resume.${token}`,
      });
    } catch (error) {
      throw mutationProblemOf(error);
    }
  },
});

/** The event that a reset to the first workflow task names, as `temporal workflow reset --type FirstWorkflowTask` does. */
async function firstTaskOf(
  { connection, namespace, deadlines }: CallDependencies,
  execution: { readonly workflowId: string; readonly runId: string },
): Promise<NonNullable<proto.temporal.api.history.v1.IHistoryEvent['eventId']>> {
  try {
    const request = { namespace, execution, maximumPageSize: 100 };
    const { history } = await connection.call(methods.getHistory, request, { deadlineMs: deadlines.readMs });
    const events = history?.events ?? [];
    const completed = events.find(({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
    if (completed?.eventId) return completed.eventId;
    const scheduled = events.find(({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED);
    if (!scheduled?.eventId) throw new Error('the instance never had a workflow task');
    return scheduled.eventId.add(1);
  } catch (error) {
    if (isInstanceMissing(error)) throw mutationProblemOf(error);
    throw readProblemOf(error);
  }
}
