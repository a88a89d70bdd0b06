import proto from '@temporalio/proto';
import type { CallDependencies } from './calls.ts';
import { methods } from './methods.ts';
import type { CallLimits } from './services.ts';
import type { Run } from './shared-polls.ts';

export type CloseEvent = proto.temporal.api.history.v1.IHistoryEvent;

const { HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT: closeEvent } = proto.temporal.api.enums.v1.HistoryEventFilterType;

/** How far a wait for the end of a run has come. */
export interface Progress {
  readonly run: Pick<Run, 'workflowId'> & Partial<Run>;
  /** What the server said to go on with. */
  readonly token?: Uint8Array | undefined;
}

/**
 * One long poll for the last event of a run: the event once it has closed, or what to go on with where the server's time
 * was up or the run was continued in another. Without a run id it is the current run. Throws what the call throws.
 */
export async function pollForClose(
  { connection, namespace }: Pick<CallDependencies, 'connection' | 'namespace'>,
  { run, token }: Progress,
  limits: CallLimits,
): Promise<{ readonly event: CloseEvent } | { readonly progress: Progress }> {
  const request = {
    namespace,
    execution: run,
    skipArchival: true,
    waitNewEvent: true,
    historyEventFilterType: closeEvent,
    ...(token === undefined ? {} : { nextPageToken: token }),
  };
  const { history, nextPageToken } = await connection.call(methods.getHistory, request, limits);
  const [event] = history?.events ?? [];
  if (event === undefined) return { progress: { run, token: nextPageToken } };
  const runId = nextRunOf(event);
  return runId ? { progress: { run: { ...run, runId } } } : { event };
}

const nextRunOf = (event: CloseEvent): string | null | undefined =>
  (
    event.workflowExecutionContinuedAsNewEventAttributes ??
    event.workflowExecutionCompletedEventAttributes ??
    event.workflowExecutionFailedEventAttributes ??
    event.workflowExecutionTimedOutEventAttributes
  )?.newExecutionRunId;
