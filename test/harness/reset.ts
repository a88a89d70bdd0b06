import { randomUUID } from 'node:crypto';
import type { WorkflowService } from '@temporalio/client';
import proto from '@temporalio/proto';

const { ResetReapplyExcludeType } = proto.temporal.api.enums.v1;

export interface ResetOptions {
  /** Which of its workflow tasks is done anew, counted from 1. */
  readonly toTask: number;
  /** Whether the actions that came after that task are dropped; otherwise the new run hears them again. */
  readonly dropsActions: boolean;
}

/** Resets the current run of an instance, ended or not, as an operator does. Resolves with the id of its new run. */
export async function resetInstance(
  workflowService: WorkflowService,
  workflowId: string,
  { toTask, dropsActions }: ResetOptions,
): Promise<string> {
  const namespace = 'default';
  const { history } = await workflowService.getWorkflowExecutionHistory({ namespace, execution: { workflowId } });
  const tasks = (history?.events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes);
  const task = tasks[toTask - 1];
  if (task === undefined) throw new Error(`it has done ${tasks.length} workflow tasks only`);
  const { runId } = await workflowService.resetWorkflowExecution({
    namespace,
    workflowExecution: { workflowId },
    reason: 'a test',
    workflowTaskFinishEventId: task.eventId ?? null,
    requestId: randomUUID(),
    resetReapplyExcludeTypes: dropsActions ? [ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE] : [],
  });
  return runId;
}
