import { status as grpcStatus } from '@grpc/grpc-js';
import type { ConnectionLike } from '@temporalio/client';
import { within } from '../orchestration/calls.ts';
import type { ObserveRequest } from '../orchestration/connection.ts';
import { grpcCode, grpcCodeOf } from '../orchestration/failures.ts';
import type { HealthWatch } from '../orchestration/health.ts';
import type { EagerStarts } from '../orchestration/start.ts';
import { withTimeLimit } from '../timing/time-limit.ts';

/** How many eager starts may be under way: past it the plain connection has more room. */
const maxInFlight = 32;

/** Workers of this process, and the native connection that starts may share with them. */
interface StartableWorkers {
  readonly connection: ConnectionLike;
  readonly health: HealthWatch;
  readonly taskQueues: readonly string[];
}

export type WorkerEagerStarts = ReturnType<typeof createEagerStarts>;

/**
 * Starts over the workers' own connection, so that the first step runs in this process at once. That connection hides
 * outages behind retries and ignores signals. It is used only while it is healthy. A call that outlives its deadline is
 * given up with its outcome unknown. Loads no native addon.
 */
export function createEagerStarts(observe: ObserveRequest) {
  let workers: StartableWorkers | undefined;
  let stopReading = () => {};
  let isHealthy = false;
  let inFlight = 0;

  /** From now on starts take the plain connection. */
  function shut(): void {
    stopReading();
    workers = undefined;
    isHealthy = false;
  }

  return {
    isOpen: (taskQueue) => isHealthy && inFlight < maxInFlight && (workers?.taskQueues.includes(taskQueue) ?? false),

    async start(request, { deadlineMs }) {
      if (workers === undefined) throw new Error('eager starts are shut');
      const { connection } = workers;
      const startedAtMs = performance.now();
      const seen = (code: string) => observe('StartWorkflowExecution', code, (performance.now() - startedAtMs) / 1_000);
      inFlight += 1;
      const call = within(connection, { deadlineMs }, () =>
        connection.workflowService.startWorkflowExecution(request),
      ).finally(() => (inFlight -= 1));
      try {
        const response = await withTimeLimit(call, deadlineMs);
        seen('OK');
        return response;
      } catch (error) {
        const code = grpcCodeOf(error);
        // Any error but ALREADY_EXISTS leaves the outcome unknown: a hidden earlier attempt may have arrived.
        if (code !== grpcCode.ALREADY_EXISTS) isHealthy = false;
        seen(codeNameOf(code));
        throw error;
      }
    },

    /** Lets starts through while the connection is healthy. */
    open(opened: StartableWorkers): void {
      shut();
      workers = opened;
      stopReading = opened.health.onAnswer((answer) => (isHealthy = answer === 'healthy'));
    },

    shut,
  } satisfies EagerStarts & Record<string, unknown>;
}

/** A native connection says CANCELLED when its deadline is over. Nobody cancels here. */
const codeNameOf = (code: number | undefined): string =>
  code === grpcCode.CANCELLED || code === undefined ? 'TIMEOUT' : (grpcStatus[code] ?? 'UNKNOWN');
