import { setTimeout as sleep } from 'node:timers/promises';
import { status as grpcStatus } from '@grpc/grpc-js';
import { type Connection, isGrpcServiceError } from '@temporalio/client';
import { eventually } from './portico.ts';

/** Twice as long as servers for tests take to tick off that an instance has ended. */
const tickedOffMs = 400;

/** Makes Temporal forget a closed instance, as the end of its retention does; resolves once it has. */
export async function forget(temporal: Connection, workflowId: string): Promise<void> {
  const execution = { workflowId };
  // Nothing tells when it is time, and a deletion that comes too early is put off for seconds.
  await sleep(tickedOffMs);
  await temporal.workflowService.deleteWorkflowExecution({ namespace: 'default', workflowExecution: execution });
  await eventually(
    () => isKnown(temporal, workflowId),
    (known) => !known,
    20_000,
  );
}

async function isKnown(temporal: Connection, workflowId: string): Promise<boolean> {
  try {
    await temporal.workflowService.describeWorkflowExecution({ namespace: 'default', execution: { workflowId } });
    return true;
  } catch (error) {
    if (isGrpcServiceError(error) && error.code === grpcStatus.NOT_FOUND) return false;
    throw error;
  }
}
