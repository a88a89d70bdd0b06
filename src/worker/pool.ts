import { type NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { dataConverter } from '../orchestration/codec.ts';
import { type HealthWatch, watchHealth } from '../orchestration/health.ts';
import { parseWorkflowId } from '../orchestration/identity.ts';
import { holdYoungGeneration } from '../young-generation.ts';
import { signalInterceptors } from './activity-signal.ts';

export interface PoolOptions {
  readonly namespace: string;
  readonly taskQueues: readonly string[];
  /** The task queues of activities that wait for strangers. Their workers run no workflows. */
  readonly deliveryQueues?: readonly string[];
  readonly workflowBundle: NonNullable<WorkerOptions['workflowBundle']>;
  readonly activities: object;
  /** Called once for each instance that ends by its own code. */
  readonly countOutcome: (processName: string, outcome: string) => void;
  readonly slots: {
    readonly workflowTasks: number;
    readonly activities: number;
    readonly cachedWorkflows: number;
    readonly deliveries?: number;
  };
  /** How long the HTTP side waits for the answer of an instance, in milliseconds. */
  readonly actionDeadlineMs: number;
  /** How long running activities may go on after a stop, and after which time a stop gives up; milliseconds. */
  readonly shutdown: { readonly graceMs: number; readonly forceMs: number };
}

/** Running workers that share a connection: where one fails, the whole pool is replaced. */
export interface WorkerPool {
  readonly connection: NativeConnection;
  readonly health: HealthWatch;
  /** Resolves when all workers have ended, and rejects when one of them fails. */
  readonly running: Promise<unknown>;
  /** Resolves when all workers have ended, with or without a failure. */
  readonly ended: Promise<unknown>;
  /** Throws, saying what is missing, unless all workers run and Temporal answers them. */
  check(): void;
  /** Lets what runs finish, and returns at once: see {@link WorkerPool.ended}. */
  shutDown(): void;
  /** True until nothing runs in the workers any more. They may still have to tell Temporal. */
  isAtWork(): boolean;
  /** True where a worker gave up on what ran in it. */
  hasFailed(): boolean;
}

/** A worker that is there takes its tasks faster than this, whatever the deadline. */
const shortestStickyMs = 500;
/** Nothing shall wait longer for a worker that is gone. */
const longestStickyMs = 5_000;

/**
 * How long Temporal keeps a task for the worker that has the instance in memory. An action right after a crash waits as
 * long. The other half of its deadline is for the worker that has to replay the instance, among all those of the crash.
 */
const stickyTimeoutOf = (actionDeadlineMs: number): number =>
  Math.min(longestStickyMs, Math.max(shortestStickyMs, actionDeadlineMs / 2));

/** Runs one worker for each queue over the connection. Rejects, and leaves no worker behind, where one cannot be made. */
export async function startPool(connection: NativeConnection, options: PoolOptions): Promise<WorkerPool> {
  const workers = await createWorkers(connection, options);
  const health = watchHealth(connection);
  const runs = workers.map((worker) => worker.run());
  const running = Promise.all(runs);
  // A pool that is shut down at once has nobody who reads this.
  running.catch(() => undefined);
  return {
    connection,
    health,
    running,
    ended: Promise.allSettled(runs),
    check(): void {
      if (workers.some((worker) => worker.getState() !== 'RUNNING')) throw new Error('a worker does not run');
      health.check();
    },
    shutDown(): void {
      health.stop();
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
    },
    isAtWork: () => workers.some((worker) => !['STOPPED', 'FAILED'].includes(worker.getState())),
    hasFailed: () => workers.some((worker) => worker.getState() === 'FAILED'),
  };
}

async function createWorkers(connection: NativeConnection, options: PoolOptions): Promise<Worker[]> {
  // Each worker has a thread of its own, and loads modules there.
  const release = holdYoungGeneration();
  const created = await Promise.allSettled(
    [
      ...options.taskQueues.map((taskQueue) => workerOptionsOf(taskQueue, options)),
      ...(options.deliveryQueues ?? []).map((taskQueue) => deliveryWorkerOptionsOf(taskQueue, options)),
    ].map((each) => Worker.create({ connection, ...each })),
  ).finally(release);
  const workers = created.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const failed = created.find((each) => each.status === 'rejected');
  if (failed === undefined) return workers;
  // A worker that never ran would hold the connection for ever.
  await Promise.allSettled(workers.map(runAndEnd));
  throw failed.reason;
}

async function runAndEnd(worker: Worker): Promise<void> {
  const run = worker.run();
  worker.shutdown();
  await run;
}

/** How a worker of the pool is set up, beside its connection. */
export const workerOptionsOf = (taskQueue: string, options: PoolOptions): WorkerOptions => ({
  taskQueue,
  namespace: options.namespace,
  workflowBundle: options.workflowBundle,
  activities: options.activities,
  dataConverter,
  maxConcurrentWorkflowTaskExecutions: options.slots.workflowTasks,
  maxConcurrentActivityTaskExecutions: options.slots.activities,
  maxCachedWorkflows: options.slots.cachedWorkflows,
  stickyQueueScheduleToStartTimeout: stickyTimeoutOf(options.actionDeadlineMs),
  shutdownGraceTime: options.shutdown.graceMs,
  shutdownForceTime: options.shutdown.forceMs,
  sinks: {
    instances: {
      ended: {
        callDuringReplay: false,
        fn: ({ workflowId }: { workflowId: string }, outcome: string) =>
          options.countOutcome(parseWorkflowId(workflowId)?.process ?? 'unknown', outcome),
      },
    },
  },
});

/** A worker of activities alone needs no thread, and costs next to nothing while nothing is delivered. */
const deliveryWorkerOptionsOf = (taskQueue: string, options: PoolOptions): WorkerOptions => ({
  taskQueue,
  namespace: options.namespace,
  activities: options.activities,
  dataConverter,
  maxConcurrentActivityTaskExecutions: options.slots.deliveries ?? options.slots.activities,
  interceptors: signalInterceptors,
  shutdownGraceTime: options.shutdown.graceMs,
  shutdownForceTime: options.shutdown.forceMs,
});
