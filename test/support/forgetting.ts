import { status as grpcStatus } from '@grpc/grpc-js';
import { isGrpcServiceError, type Connection } from '@temporalio/client';
import { eventually } from './portico.ts';

/** Makes Temporal forget a closed instance, as the end of its retention does; resolves once it has. */
export const forget = (temporal: Connection, workflowId: string): Promise<boolean> =>
  eventually(
    () => isForgotten(temporal, workflowId),
    (forgotten) => forgotten,
    20_000,
  );

/** Asks for the deletion each time: one that comes before the server has ticked off the end is put off for seconds. */
async function isForgotten(temporal: Connection, workflowId: string): Promise<boolean> {
  const execution = { workflowId };
  try {
    await temporal.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution: execution });
    await temporal.workflowService.describeWorkflowExecution({ namespace: 'default', execution });
    return false;
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === grpcStatus.NOT_FOUND) return true;
    throw error;
  }
}
