import { status as grpcStatus } from '@grpc/grpc-js';
import type { NativeConnection } from '@temporalio/worker';
import type { ObserveRequest } from '../orchestration/connection.ts';
import { grpcCode, grpcCodeOf } from '../orchestration/failures.ts';
import type { EagerStarts } from '../orchestration/start.ts';
import { withTimeLimit } from '../timing/time-limit.ts';

/** How many eager starts may be under way: past it the plain connection has more room. */
const maxInFlight = 32;
const probeEveryMs = 1_000;
const probeTimeoutMs = 1_000;

interface OpenDoor {
  readonly connection: NativeConnection;
  readonly taskQueues: ReadonlySet<string>;
}

/**
 * Starts over the worker's own connection, so that the first step runs in this process at once. That connection hides
 * outages behind retries and cannot be aborted: it is used only while it is known to be healthy, and a call that
 * outlives its deadline is given up with its outcome unknown. So is one that is refused, unless because the instance
 * exists: an attempt before the refused one may have arrived.
 */
export function createEagerStarts(observe: ObserveRequest) {
  let open: OpenDoor | undefined;
  let isHealthy = false;
  let inFlight = 0;

  async function probe(): Promise<void> {
    const probed = open;
    const hasAnswered = probed !== undefined && (await probeHealth(probed.connection)) === 'healthy';
    isHealthy = hasAnswered && open === probed;
  }
  const timer = setInterval(() => void probe(), probeEveryMs);
  timer.unref();

  return {
    isOpen: (taskQueue) => isHealthy && inFlight < maxInFlight && (open?.taskQueues.has(taskQueue) ?? false),

    async start(request, { deadlineMs }) {
      if (open === undefined) throw new Error('eager starts is shut');
      const { connection } = open;
      const startedAtMs = performance.now();
      const seen = (code: number | undefined) =>
        observe(
          'StartWorkflowExecution',
          code === undefined ? 'TIMEOUT' : (grpcStatus[code] ?? 'UNKNOWN'),
          (performance.now() - startedAtMs) / 1_000,
        );
      inFlight += 1;
      const call = connection
        .withDeadline(Date.now() + deadlineMs, () => connection.workflowService.startWorkflowExecution(request))
        .finally(() => (inFlight -= 1));
      try {
        const response = await withTimeLimit(call, deadlineMs);
        seen(grpcCode.OK);
        return response;
      } catch (error) {
        const code = grpcCodeOf(error);
        if (code !== grpcCode.ALREADY_EXISTS) isHealthy = false;
        // How this connection says that the deadline is over: nobody cancels here.
        seen(code === grpcCode.CANCELLED ? undefined : code);
        throw error;
      }
    },

    /** Lets starts through once a probe of the connection has succeeded. */
    open(connection: NativeConnection, taskQueues: readonly string[]): void {
      open = { connection, taskQueues: new Set(taskQueues) };
      void probe();
    },

    /** From now on starts take the plain connection. */
    shut(): void {
      open = undefined;
      isHealthy = false;
    },
  } satisfies EagerStarts & Record<string, unknown>;
}

/** Whether the frontend says within a second that it serves. An answer of any other kind shows that somebody is there. */
export async function probeHealth(connection: NativeConnection): Promise<'healthy' | 'unhealthy' | 'silent'> {
  const answer = connection.healthService.check({ service: 'temporal.api.workflowservice.v1.WorkflowService' }).then(
    () => 'healthy' as const,
    () => 'unhealthy' as const,
  );
  return withTimeLimit(answer, probeTimeoutMs).catch(() => 'silent' as const);
}
