import { NativeConnection, Worker, type NativeConnectionOptions, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataConverter } from '../orchestration/codec.ts';
import { parseWorkflowId } from '../orchestration/identity.ts';
import { answersHealthy, type createEagerDoor } from './eager-door.ts';
import { closeQuietly, untilLost } from './lost-connection.ts';
import { withTimeout } from './timeout.ts';

interface WorkersOptions {
  readonly connection: NativeConnectionOptions;
  readonly namespace: string;
  readonly taskQueues: readonly string[];
  readonly workflowBundle: NonNullable<WorkerOptions['workflowBundle']>;
  readonly activities: object;
  readonly eagerDoor?: ReturnType<typeof createEagerDoor> | undefined;
  readonly logger: Logger;
  /** Called once for each instance that ends by its own code. */
  readonly countOutcome: (process: string, outcome: string) => void;
  readonly slots: { readonly workflowTasks: number; readonly activities: number; readonly cachedWorkflows: number };
  /** How long running activities may go on after a stop, and after which time a stop gives up; milliseconds. */
  readonly shutdown: { readonly graceMs: number; readonly forceMs: number };
}

const connectTimeoutMs = 5_000;
// For so long Temporal offers an instance to the worker that last had it, dead or alive: an action right after a crash
// waits as long. Shorter than the deadline of an action.
const stickyTimeoutMs = 1_500;
const farewellMs = 2_000;
const minBackoffMs = 500;
// Low, so that the workers are back within seconds of Temporal.
const maxBackoffMs = 5_000;

/**
 * One worker for each task queue over one connection. Whatever fails fatally is built anew, with back-off; nothing here
 * ever takes the HTTP side down.
 */
export function startWorkers(options: WorkersOptions) {
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  let current: { connection: NativeConnection; workers: Worker[] } | undefined;
  let lastConnection: NativeConnection | undefined;
  /** Those that run, and those that are on their way out. */
  const begun = new Set<Worker>();

  async function build() {
    const connecting = NativeConnection.connect(options.connection);
    const connection = await withTimeout(connecting, connectTimeoutMs).catch((error: unknown) => {
      void connecting.then(closeQuietly, () => undefined);
      throw error;
    });
    // The runtime and its metrics end with the last connection: the old one is held until the new one stands.
    await closeQuietly(lastConnection);
    lastConnection = connection;
    const workers: Worker[] = [];
    try {
      for (const taskQueue of options.taskQueues) {
        workers.push(await Worker.create(workerOptions(connection, taskQueue)));
      }
    } catch (error) {
      // A worker that never ran would hold the connection for ever.
      await Promise.allSettled(workers.map(runAndEnd));
      throw error;
    }
    return { connection, workers };
  }

  const workerOptions = (connection: NativeConnection, taskQueue: string): WorkerOptions => ({
    connection,
    taskQueue,
    namespace: options.namespace,
    workflowBundle: options.workflowBundle,
    activities: options.activities,
    dataConverter,
    maxConcurrentWorkflowTaskExecutions: options.slots.workflowTasks,
    maxConcurrentActivityTaskExecutions: options.slots.activities,
    maxCachedWorkflows: options.slots.cachedWorkflows,
    stickyQueueScheduleToStartTimeout: stickyTimeoutMs,
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

  async function runOnce(): Promise<void> {
    const { connection, workers } = await build();
    if (isStopping()) return;
    current = { connection, workers };
    for (const worker of workers) begun.add(worker);
    const runs = workers.map((worker) => worker.run());
    options.eagerDoor?.open(connection, options.taskQueues);
    options.logger.info({ taskQueues: options.taskQueues }, 'workers run');
    const watching = new AbortController();
    try {
      const lost = untilLost(connection, options.connection, AbortSignal.any([watching.signal, stopping.signal]));
      await Promise.race([Promise.all(runs), lost]);
    } finally {
      watching.abort();
      options.eagerDoor?.shut();
      current = undefined;
      shutDown(workers);
      const ended = Promise.allSettled(runs);
      await untilEnded(workers, ended);
      for (const worker of workers) begun.delete(worker);
      void ended.then(() => (lastConnection === connection ? undefined : closeQuietly(connection)));
    }
  }

  async function supervise(): Promise<void> {
    for (let failures = 0; !isStopping(); failures += 1) {
      const startedAtMs = Date.now();
      try {
        await runOnce();
      } catch (error) {
        if (isStopping()) throw error;
        if (Date.now() - startedAtMs > 60_000) failures = 0;
        const backoffMs = Math.random() * Math.min(maxBackoffMs, minBackoffMs * 2 ** failures);
        options.logger.warn({ err: error, retryInMs: Math.round(backoffMs) }, 'workers failed and are built anew');
        await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  }
  const supervised = supervise();
  supervised.catch(() => undefined);

  return {
    /** Rejects, saying what is missing, unless all workers run and Temporal answers them. */
    async check(): Promise<void> {
      if (current === undefined) throw new Error('the workers are not connected');
      if (current.workers.some((worker) => worker.getState() !== 'RUNNING')) throw new Error('a worker does not run');
      if (!(await answersHealthy(current.connection))) throw new Error('Temporal does not answer the workers');
    },

    /** Lets activities and steps under way finish, then disconnects. Rejects where they outlived the force time. */
    async stop(): Promise<void> {
      options.eagerDoor?.shut();
      stopping.abort();
      const workers = [...begun];
      shutDown(workers);
      await untilEnded(workers, supervised);
      await closeQuietly(lastConnection);
      if (workers.some((worker) => worker.getState() === 'FAILED')) throw new Error('activities had to be cut');
    },
  };
}

async function runAndEnd(worker: Worker): Promise<void> {
  const run = worker.run();
  worker.shutdown();
  await run;
}

/**
 * Resolves once nothing runs in the workers any more and they have said farewell to Temporal. Where nobody answers the
 * SDK takes half a minute for that, whatever its force time is: two seconds are enough.
 */
async function untilEnded(workers: readonly Worker[], farewell: Promise<unknown>): Promise<void> {
  const isSaid = farewell.then(
    () => true,
    () => true,
  );
  const isAtWork = (worker: Worker) => !['STOPPED', 'FAILED'].includes(worker.getState());
  while (workers.some(isAtWork)) if (await Promise.race([isSaid, sleep(50, false)])) return;
  await Promise.race([isSaid, sleep(farewellMs, undefined, { ref: false })]);
}

function shutDown(workers: readonly Worker[]): void {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
}
