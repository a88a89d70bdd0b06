import { Connection } from '@temporalio/client';

export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

/** Looks at a Temporal server by a connection of its own, around every fault. */
export async function openTemporalWitness(address: string) {
  const connection = await Connection.connect({ address });
  const { workflowService } = connection;
  return {
    connection,

    /** Every run of a tenant's process, of whatever state; visibility lags behind by some milliseconds. */
    async runsOf(tenant: string, process: string): Promise<Run[]> {
      const runs: Run[] = [];
      let nextPageToken: Uint8Array | undefined;
      do {
        const page = await workflowService.listWorkflowExecutions({
          namespace: 'default',
          query: `PorticoTenant = '${tenant}' AND PorticoProcess = '${process}'`,
          nextPageToken,
        });
        runs.push(
          ...page.executions.map(({ execution }) => ({
            workflowId: execution?.workflowId ?? '',
            runId: execution?.runId ?? '',
          })),
        );
        nextPageToken = page.nextPageToken.length > 0 ? page.nextPageToken : undefined;
      } while (nextPageToken !== undefined);
      return runs;
    },

    /** Whether the first step was handed to the starter's own worker with the answer to the start. */
    async wasEager(workflowId: string): Promise<boolean> {
      const { history } = await workflowService.getWorkflowExecutionHistory({
        namespace: 'default',
        execution: { workflowId },
        maximumPageSize: 1,
      });
      return history?.events?.[0]?.workflowExecutionStartedEventAttributes?.eagerExecutionAccepted ?? false;
    },

    /** How many attempts the activity of that name took until it was done; undefined where it is not. */
    async attemptsOf(workflowId: string, activity: string): Promise<number | undefined> {
      const { history } = await workflowService.getWorkflowExecutionHistory({
        namespace: 'default',
        execution: { workflowId },
      });
      const events = history?.events ?? [];
      const scheduled = events.find((e) => e.activityTaskScheduledEventAttributes?.activityType?.name === activity);
      const scheduledEventId = String(scheduled?.eventId);
      const started = events.find(
        (e) => String(e.activityTaskStartedEventAttributes?.scheduledEventId) === scheduledEventId,
      );
      const isDone = events.some(
        (e) => String(e.activityTaskCompletedEventAttributes?.scheduledEventId) === scheduledEventId,
      );
      return isDone ? (started?.activityTaskStartedEventAttributes?.attempt ?? undefined) : undefined;
    },

    close: (): Promise<void> => connection.close(),
  };
}
