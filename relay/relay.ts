import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type Logger, pino } from 'pino';
import { Registry } from 'prom-client';
import { runHousekeeping } from './housekeeping.ts';
import { runLane } from './lane.ts';
import { createMetrics } from './metrics.ts';
import { defaults, type RelayOptions } from './options.ts';
import { createOutbox } from './outbox.ts';
import type { PauseReason } from './outcome.ts';
import { createSend } from './portico.ts';
import { serverLimits } from './server-limits.ts';
import { createTraffic } from './traffic.ts';
import { createWake, listen, reasonOf } from './wake.ts';

/** How a relay is. It is ready while it reads its table and is not paused. */
export interface RelayHealth {
  readonly isReady: boolean;
  /** Why the table cannot be read. */
  readonly database?: string;
  /** Why nothing is sent. */
  readonly paused?: PauseReason;
  /** False while the last request brought no answer. */
  readonly answered: boolean;
}

export interface Relay {
  /** Begins. Needs nothing to be there yet: it waits for database and Portico. */
  start(): void;
  /**
   * Claims nothing more, and resolves once everything under way has ended. Requests still open after most of
   * `stopLimitMs` are cut off, and their rows released, to be sent again under the same keys.
   */
  stop(): Promise<void>;
  health(): RelayHealth;
  readonly registry: Registry;
}

/** Longer than writing what became of the last rows takes. */
const releaseMs = 3_000;

/**
 * A relay between the `outbox` table of a service and Portico. Each committed row is sent at least once, under the same
 * keys, and those of one `key` in the order of their commits. Any number may run side by side, for one tenant.
 */
export function createRelay(given: RelayOptions): Relay {
  const options = { ...defaults, ...given };
  const { database, leaseMs, stopLimitMs, lanes } = options;
  const schema = database.schema ?? 'public';
  const relayId = `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
  const log: Logger = (given.logger ?? pino()).child({ relay: relayId });
  const metrics = createMetrics(given.registry ?? new Registry());
  const pool = openPool(database.url, lanes + 2);
  const wake = createWake();
  const [stopping, aborting] = [new AbortController(), new AbortController()];
  let running: Promise<unknown> | undefined;

  const traffic = createTraffic({
    batch: options.batch,
    shortestMs: options.shortestProbeMs,
    longestMs: options.longestProbeMs,
    onPause(reason) {
      metrics.paused(reason);
      log.error({ reason }, 'the relay is paused: nothing is sent but probes');
    },
    onResume() {
      metrics.paused(undefined);
      log.info('the relay goes on');
    },
  });

  const watch = watchDatabase(log);
  const outbox = createOutbox({ pool, schema, relayId, leaseMs, deadLetters: options.deadLetters });
  const send = createSend({ ...options.portico, onRequest: metrics.requested });
  const [stopSignal, abortSignal] = [stopping.signal, aborting.signal];
  const lane = { ...options, outbox, traffic, send, wake, metrics, log, onDatabase: watch.onDatabase };

  async function run(): Promise<void> {
    const each = { ...lane, stopping: stopSignal, aborting: abortSignal };
    const others = Array.from({ length: lanes }, () => runLane('others', each));
    const beside = [
      listen({ url: database.url, schema, wake, log, signal: stopSignal }),
      runHousekeeping({ ...options, outbox, metrics, log, signal: stopSignal }),
    ];
    await Promise.all([runLane('suspects', each), ...others, ...beside]);
    await pool.end();
  }

  return {
    start(): void {
      if (running !== undefined) throw new Error('the relay was started before');
      log.info({ schema, lanes, batch: options.batch }, 'the relay runs');
      running = run();
    },
    async stop(): Promise<void> {
      stopping.abort();
      const timer = setTimeout(() => aborting.abort(), Math.max(stopLimitMs - releaseMs, 0));
      await Promise.race([running, sleep(stopLimitMs, undefined, { ref: false })]);
      clearTimeout(timer);
      log.info('the relay has stopped');
    },
    health(): RelayHealth {
      const [fault, paused] = [watch.fault(), traffic.paused()];
      return {
        isReady: fault === undefined && paused === undefined,
        ...(fault === undefined ? {} : { database: fault }),
        ...(paused === undefined ? {} : { paused }),
        answered: traffic.isAnswered('others'),
      };
    },
    registry: metrics.registry,
  };
}

function openPool(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max,
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
    ...serverLimits,
    keepAlive: true,
    application_name: 'outbox-relay',
  });
  // A connection that is lost while nobody uses it. The next statement opens another.
  pool.on('error', () => undefined);
  return pool;
}

/** Remembers why the last statement failed, and logs when that changes. */
function watchDatabase(log: Logger) {
  let fault: string | undefined;
  return {
    fault: (): string | undefined => fault,
    onDatabase(error: unknown): void {
      const next = error === undefined ? undefined : reasonOf(error);
      if (next === fault) return;
      fault = next;
      if (fault === undefined) log.info('the outbox can be read again');
      else log.error({ reason: fault }, 'the outbox cannot be read');
    },
  };
}
