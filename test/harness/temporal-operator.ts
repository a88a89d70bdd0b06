import { setTimeout as sleep } from 'node:timers/promises';
import { status as grpcStatus } from '@grpc/grpc-js';
import { Connection, isGrpcServiceError } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { resetInstance } from './reset.ts';
import { until } from './until.ts';

const namespace = 'default';

/** Twice as long as servers for tests take to note that an instance has ended. */
const notedMs = 400;

export type TemporalOperator = Awaited<ReturnType<typeof connectOperator>>;

/** What an operator sees and does at a Temporal server, on a connection of its own and without any code of Portico. */
export async function connectOperator(address: string) {
  const connection = await Connection.connect({ address });
  const { workflowService } = connection;

  /** The current run of an instance, or undefined where there is none. */
  async function currentRun(workflowId: string): Promise<string | undefined> {
    try {
      const { workflowExecutionInfo } = await workflowService.describeWorkflowExecution({
        namespace,
        execution: { workflowId },
      });
      return workflowExecutionInfo?.execution?.runId ?? undefined;
    } catch (error) {
      if (isGrpcServiceError(error) && error.code === grpcStatus.NOT_FOUND) return undefined;
      throw error;
    }
  }

  async function eventsOf(workflowId: string) {
    const { history } = await workflowService.getWorkflowExecutionHistory({ namespace, execution: { workflowId } });
    return history?.events ?? [];
  }

  return {
    connection,
    currentRun,
    reset: (workflowId: string) => resetInstance(workflowService, workflowId, { toTask: 1, dropsActions: false }),
    close: (): Promise<void> => connection.close(),

    async terminate(workflowId: string): Promise<void> {
      await workflowService.terminateWorkflowExecution({ namespace, workflowExecution: { workflowId } });
    },

    /** Makes Temporal forget a closed instance, as the end of its retention does; resolves once it has. */
    async forget(workflowId: string): Promise<void> {
      // Nothing tells when it is time, and a deletion that comes too early is put off for seconds.
      await sleep(notedMs);
      await workflowService.deleteWorkflowExecution({ namespace, workflowExecution: { workflowId } });
      await until(
        () => currentRun(workflowId),
        (runId) => runId === undefined,
      );
    },

    /** The instances of a tenant's process by id, one entry for each run; visibility lags behind by milliseconds. */
    async instancesOf(tenant: string, processName: string): Promise<string[]> {
      const ids: string[] = [];
      const query = `PorticoTenant = '${tenant}' AND PorticoProcess = '${processName}'`;
      let nextPageToken: Uint8Array | undefined;
      do {
        const page = await workflowService.listWorkflowExecutions({ namespace, query, nextPageToken });
        ids.push(...page.executions.map(({ execution }) => execution?.workflowId ?? ''));
        nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
      } while (nextPageToken !== undefined);
      return ids;
    },

    /** Whether the first step was handed to the starter's own worker with the answer to the start. */
    async wasEager(workflowId: string): Promise<boolean> {
      const [first] = await eventsOf(workflowId);
      return first?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted ?? false;
    },

    /** How many of its activities ran out of time in the attempt before the one that counts, as those of a killed worker do. */
    async interruptedActivities(workflowId: string): Promise<number> {
      const started = (await eventsOf(workflowId)).map((event) => event.activityTaskStartedEventAttributes);
      return started.filter((attributes) => attributes?.lastFailure?.timeoutFailureInfo).length;
    },

    /** What a workflow answered that has completed; undefined for any other. */
    async resultOf(workflowId: string): Promise<unknown> {
      if ((await currentRun(workflowId)) === undefined) return undefined;
      const last = (await eventsOf(workflowId)).at(-1)?.workflowExecutionCompletedEventAttributes;
      const [payload] = last?.result?.payloads ?? [];
      return payload ? defaultPayloadConverter.fromPayload(payload) : undefined;
    },

    /**
     * How many attempts the first activity of that name took, and why the one before the last failed: a message of
     * Temporal or of Portico. Undefined where it is not done.
     */
    async attemptsOf(workflowId: string, activity: string): Promise<{ count: number; why?: string } | undefined> {
      const events = await eventsOf(workflowId);
      const scheduled = events.find((e) => e.activityTaskScheduledEventAttributes?.activityType?.name === activity);
      if (scheduled === undefined) return undefined;
      const id = String(scheduled.eventId);
      const isDone = events.some((e) => String(e.activityTaskCompletedEventAttributes?.scheduledEventId) === id);
      if (!isDone) return undefined;
      const started = events.find((e) => String(e.activityTaskStartedEventAttributes?.scheduledEventId) === id);
      const { attempt, lastFailure } = started?.activityTaskStartedEventAttributes ?? {};
      const why = lastFailure?.applicationFailureInfo?.type ?? lastFailure?.message;
      return { count: attempt ?? 1, ...(why ? { why } : {}) };
    },
  };
}
