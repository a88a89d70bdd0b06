import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';
import proto from '@temporalio/proto';

const { EventType, ResetReapplyExcludeType } = proto.temporal.api.enums.v1;

export interface RewindOptions {
  /** Which of its workflow tasks is done anew, counted from 1. What was heard after it is forgotten. */
  readonly toTask: number;
}

/** Resets an instance, ended or not, without applying its actions again. Answers a handle of its new run. */
export async function rewind(
  client: Client,
  handle: WorkflowHandle,
  { toTask }: RewindOptions,
): Promise<WorkflowHandle> {
  const { workflowId } = handle;
  const { events } = await handle.fetchHistory();
  const tasks = (events ?? []).filter(({ eventType }) => eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED);
  const task = tasks[toTask - 1];
  if (task === undefined) throw new Error(`it has done ${tasks.length} workflow tasks only`);
  const { runId } = await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId, runId: (await handle.describe()).runId },
    reason: 'rewound by a test',
    workflowTaskFinishEventId: task.eventId ?? null,
    requestId: randomUUID(),
    resetReapplyExcludeTypes: [ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE],
  });
  return client.workflow.getHandle(workflowId, runId);
}
