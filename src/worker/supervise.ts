import { setTimeout as sleep } from 'node:timers/promises';
import type { NativeConnection, NativeConnectionOptions } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { WorkerEagerStarts } from './eager-starts.ts';
import { untilLost } from './lost-connection.ts';
import { closeQuietly, connectNative } from './native-connection.ts';
import { type PoolOptions, startPool, type WorkerPool } from './pool.ts';

interface SupervisorOptions extends PoolOptions {
  readonly connection: NativeConnectionOptions;
  readonly eagerStarts: WorkerEagerStarts;
  /** Resolves once work may be taken, or when `signal` aborts. Calls `onMissing` with what it waits for. */
  readonly untilUsable: (signal: AbortSignal, onMissing: (reason: string) => void) => Promise<void>;
  readonly logger: Logger;
}

const connectLimitMs = 5_000;
/** On a dead connection a pool takes up to half a minute to end. So many may do so beside the running one. */
const maxLeftBehind = 1;
/** After a stop the SDK tells Temporal that the workers end. Where nobody answers, it takes half a minute for that. */
const drainPatienceMs = 2_000;
const minBackoffMs = 500;
// Low, so that the workers are back within seconds of Temporal.
const maxBackoffMs = 5_000;
/** After this long the back-off starts over. */
const steadyMs = 5_000;

/**
 * Keeps one pool of workers running, from the moment at which work may be taken. A pool that fails is replaced, with back-off; HTTP goes on
 * meanwhile.
 */
export function superviseWorkers(options: SupervisorOptions) {
  const { eagerStarts, logger, taskQueues } = options;
  const stopping = new AbortController();
  const isStopping = () => stopping.signal.aborted;
  const pools = createPools(options);
  let current: WorkerPool | undefined;
  let failures = 0;
  let missing = 'the workers are not connected';

  async function runOnce(): Promise<void> {
    const pool = await pools.build();
    const ranAtMs = Date.now();
    try {
      if (isStopping()) return;
      current = pool;
      eagerStarts.open({ connection: pool.connection, health: pool.health, taskQueues });
      logger.info({ taskQueues }, 'workers run');
      await Promise.race([pool.running, untilLost(pool.health, options.connection)]);
    } finally {
      eagerStarts.shut();
      current = undefined;
      if (Date.now() - ranAtMs > steadyMs) failures = 0;
      // Nobody waits for the end here: on a dead connection that takes up to half a minute.
      pool.shutDown();
    }
  }

  async function supervise(): Promise<void> {
    await options.untilUsable(stopping.signal, (reason) => {
      missing = `the workers wait: ${reason}`;
      logger.warn({ reason }, 'workers wait for the database');
    });
    missing = 'the workers are not connected';
    for (; !isStopping(); failures += 1) {
      try {
        await runOnce();
      } catch (error) {
        if (isStopping()) throw error;
        const backoffMs = Math.random() * Math.min(maxBackoffMs, minBackoffMs * 2 ** failures);
        logger.warn({ err: error, retryInMs: Math.round(backoffMs) }, 'workers failed and are built anew');
        await sleep(backoffMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
  }
  const supervised = supervise();
  supervised.catch(() => undefined);

  return {
    /** Throws, saying what is missing, unless all workers run and Temporal answers them. */
    check(): void {
      if (current === undefined) throw new Error(missing);
      current.check();
    },

    /** Lets activities and steps under way finish, then disconnects. Rejects where they outlived the force time. */
    async stop(): Promise<void> {
      // A pool left behind on a dead connection is not judged: nobody hears whether its work finishes.
      const pool = current;
      stopping.abort();
      eagerStarts.shut();
      pool?.shutDown();
      await untilDrained(pool, supervised.catch(() => undefined).then(pools.ended));
      await pools.disconnect();
      if (pool?.hasFailed()) throw new Error('activities had to be cut');
    },
  };
}

/** Builds one pool after the other, each on a connection of its own, and keeps count of those that have not ended. */
function createPools(options: SupervisorOptions) {
  const pools = new Set<WorkerPool>();
  let lastConnection: NativeConnection | undefined;

  return {
    /** Waits first where too many pools have not ended. */
    async build(): Promise<WorkerPool> {
      while (pools.size > maxLeftBehind) await Promise.race([...pools].map(({ ended }) => ended));
      const connection = await connectNative(options.connection, connectLimitMs);
      // The SDK's runtime and its metrics end with the last connection, so the old one is closed after the new one stands.
      await closeQuietly(lastConnection);
      lastConnection = connection;
      const pool = await startPool(connection, options);
      pools.add(pool);
      void pool.ended.then(() => {
        pools.delete(pool);
        return lastConnection === connection ? undefined : closeQuietly(connection);
      });
      return pool;
    },

    /** Resolves when all pools of this moment have ended. */
    ended: (): Promise<unknown> => Promise.all([...pools].map(({ ended }) => ended)),

    disconnect: async (): Promise<void> => closeQuietly(lastConnection),
  };
}

/** Resolves once nothing runs in the pool any more and Temporal was told, or at most two seconds after the former. */
async function untilDrained(pool: WorkerPool | undefined, ended: Promise<unknown>): Promise<void> {
  const isEnded = ended.then(() => true);
  while (pool?.isAtWork()) if (await Promise.race([isEnded, sleep(50, false)])) return;
  await Promise.race([isEnded, sleep(drainPatienceMs, undefined, { ref: false })]);
}
