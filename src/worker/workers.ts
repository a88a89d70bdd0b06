import { setTimeout as sleep } from 'node:timers/promises';
import { NativeConnection, type NativeConnectionOptions, Worker, type WorkerOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import { dataConverter } from '../orchestration/codec.ts';
import { parseWorkflowId } from '../orchestration/identity.ts';
import { withTimeLimit } from '../timing/time-limit.ts';
import { type createEagerStarts, probeHealth } from './eager-starts.ts';
import { closeQuietly, untilLost } from './lost-connection.ts';

interface WorkersOptions {
  readonly connection: NativeConnectionOptions;
  readonly namespace: string;
  readonly taskQueues: readonly string[];
  readonly workflowBundle: NonNullable<WorkerOptions['workflowBundle']>;
  readonly activities: object;
  readonly eagerStarts?: ReturnType<typeof createEagerStarts> | undefined;
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
/** Workers that ran for so long do not pay for the failures before. */
const steadyMs = 5_000;
/** Crews on dead connections that have not ended: that takes each of them up to half a minute. */
const maxLeftBehind = 3;

/** Workers that share a connection, and fall with it. */
interface Crew {
  readonly connection: NativeConnection;
  readonly workers: readonly Worker[];
  /** Rejects when one of them fails. */
  readonly running: Promise<unknown>;
  /** Resolves when all of them have ended, however that was. */
  readonly ended: Promise<unknown>;
}

/**
 * One worker for each task queue over one connection. Whatever fails fatally is built anew, with back-off; nothing here
 * ever takes the HTTP side down.
 */
export function startWorkers(options: WorkersOptions) {
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  let current: Crew | undefined;
  let lastConnection: NativeConnection | undefined;
  let failures = 0;
  /** The one that runs, and those that are on their way out. */
  const crews = new Set<Crew>();

  async function build() {
    const connecting = NativeConnection.connect(options.connection);
    const connection = await withTimeLimit(connecting, connectTimeoutMs).catch((error: unknown) => {
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

  function run({ connection, workers }: Awaited<ReturnType<typeof build>>): Crew {
    const runs = workers.map((worker) => worker.run());
    const crew = { connection, workers, running: Promise.all(runs), ended: Promise.allSettled(runs) };
    crews.add(crew);
    void crew.ended.then(() => {
      crews.delete(crew);
      return lastConnection === connection ? undefined : closeQuietly(connection);
    });
    return crew;
  }

  async function runOnce(): Promise<void> {
    while (crews.size > maxLeftBehind) await Promise.race([...crews].map((crew) => crew.ended));
    const built = await build();
    if (isStopping()) return;
    const crew = run(built);
    const ranAtMs = Date.now();
    current = crew;
    options.eagerStarts?.open(crew.connection, options.taskQueues);
    options.logger.info({ taskQueues: options.taskQueues }, 'workers run');
    const watching = new AbortController();
    try {
      const lost = untilLost(crew.connection, options.connection, AbortSignal.any([watching.signal, stopping.signal]));
      await Promise.race([crew.running, lost]);
    } finally {
      watching.abort();
      options.eagerStarts?.shut();
      current = undefined;
      if (Date.now() - ranAtMs > steadyMs) failures = 0;
      // Nobody waits for their end here: on a dead connection that takes up to half a minute.
      shutDown(crew.workers);
    }
  }

  async function supervise(): Promise<void> {
    for (; !isStopping(); failures += 1) {
      try {
        await runOnce();
      } catch (error) {
        if (isStopping()) throw error;
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
      if ((await probeHealth(current.connection)) !== 'healthy')
        throw new Error('Temporal does not answer the workers');
    },

    /** Lets activities and steps under way finish, then disconnects. Rejects where they outlived the force time. */
    async stop(): Promise<void> {
      options.eagerStarts?.shut();
      // Of those left behind on a dead connection nobody hears any more, whether they finish or not.
      const workers = current?.workers ?? [];
      stopping.abort();
      const ended = Promise.allSettled([supervised, ...[...crews].map((crew) => crew.ended)]);
      shutDown(workers);
      await untilEnded(workers, ended);
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
  const isSaid = farewell.then(() => true);
  const isAtWork = (worker: Worker) => !['STOPPED', 'FAILED'].includes(worker.getState());
  while (workers.some(isAtWork)) if (await Promise.race([isSaid, sleep(50, false)])) return;
  await Promise.race([isSaid, sleep(farewellMs, undefined, { ref: false })]);
}

function shutDown(workers: readonly Worker[]): void {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
}
