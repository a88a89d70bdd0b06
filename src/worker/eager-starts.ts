import { status as grpcStatus } from '@grpc/grpc-js';
import type { ConnectionLike } from '@temporalio/client';
import { withinNative } from '../orchestration/calls.ts';
import type { ObserveRequest } from '../orchestration/connection.ts';
import { grpcCode, grpcCodeOf } from '../orchestration/failures.ts';
import type { HealthWatch } from '../orchestration/health.ts';
import type { EagerStarts } from '../orchestration/start.ts';
import { withTimeLimit } from '../timing/time-limit.ts';
import { createGrants, type Grants } from './grants.ts';

/** How many eager starts may be under way: past it the plain connection has more room. */
const maxInFlight = 32;

/** Workers of this process, and the native connection that starts may share with them. */
interface StartableWorkers {
  readonly connection: ConnectionLike;
  readonly health: HealthWatch;
  readonly taskQueues: readonly string[];
}

/** What became of a start that asked for its first task. `failed`: nothing was started, or nobody knows. */
export type EagerResult = 'granted' | 'not-granted' | 'failed';

interface EagerObservers {
  readonly observe: ObserveRequest;
  readonly count: (result: EagerResult) => void;
}

export type WorkerEagerStarts = ReturnType<typeof createEagerStarts>;

/**
 * Starts over the workers' own connection, so that the first step runs in this process at once. That connection hides
 * outages behind retries and ignores signals. It is used only while it is healthy, and while the server grants first
 * tasks. A call that outlives its deadline is given up with its outcome unknown. Loads no native addon.
 */
export function createEagerStarts({ observe, count }: EagerObservers) {
  let workers: StartableWorkers | undefined;
  let grantsOf: ReadonlyMap<string, Grants> = new Map();
  let stopReading = () => {};
  let isHealthy = false;
  let inFlight = 0;

  /** From now on starts take the plain connection. */
  function shut(): void {
    stopReading();
    workers = undefined;
    grantsOf = new Map();
    isHealthy = false;
  }

  return {
    isOpen: (taskQueue) => isHealthy && inFlight < maxInFlight && (grantsOf.get(taskQueue)?.isWorthAsking() ?? false),

    async start(request, { deadlineMs }) {
      if (workers === undefined) throw new Error('eager starts are shut');
      const { connection } = workers;
      const grants = grantsOf.get(request.taskQueue?.name ?? '');
      const startedAtMs = performance.now();
      const seen = (code: string) => observe('StartWorkflowExecution', code, (performance.now() - startedAtMs) / 1_000);
      inFlight += 1;
      grants?.ask();
      const call = withinNative(connection, { deadlineMs }, () =>
        connection.workflowService.startWorkflowExecution({ ...request, requestEagerExecution: true }),
      ).finally(() => (inFlight -= 1));
      try {
        const response = await withTimeLimit(call, deadlineMs);
        const isGranted = Boolean(response.eagerWorkflowTask);
        grants?.see(isGranted);
        count(isGranted ? 'granted' : 'not-granted');
        seen('OK');
        return response;
      } catch (error) {
        const code = grpcCodeOf(error);
        // Any error but ALREADY_EXISTS leaves the outcome unknown: a hidden earlier attempt may have arrived.
        if (code !== grpcCode.ALREADY_EXISTS) isHealthy = false;
        count('failed');
        seen(codeNameOf(code));
        throw error;
      }
    },

    /** Lets starts through while the connection is healthy. */
    open(opened: StartableWorkers): void {
      shut();
      workers = opened;
      // Each queue has a worker of its own, with slots of its own.
      grantsOf = new Map(opened.taskQueues.map((taskQueue) => [taskQueue, createGrants()]));
      stopReading = opened.health.onAnswer((answer) => (isHealthy = answer === 'healthy'));
    },

    shut,
  } satisfies EagerStarts & Record<string, unknown>;
}

/** A native connection says CANCELLED when its deadline is over. Nobody cancels here. */
const codeNameOf = (code: number | undefined): string =>
  code === grpcCode.CANCELLED || code === undefined ? 'TIMEOUT' : (grpcStatus[code] ?? 'UNKNOWN');
