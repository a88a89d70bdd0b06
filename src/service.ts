import { setTimeout as sleep } from 'node:timers/promises';
import type { startApiRole } from './api-role.ts';
import { catalog } from './catalog/index.ts';
import { type Config, type Environment, parseConfig } from './config/config.ts';
import { checkCatalog } from './definition/check-catalog.ts';
import type { ProcessDefinition } from './definition/definition.ts';
import { withShares } from './definition/implementation.ts';
import { startAdminListener } from './http/admin.ts';
import type { ReadinessCheck } from './http/readiness.ts';
import { createLogger, type Logger } from './observability/logger.ts';
import { createMetrics } from './observability/metrics.ts';
import { createQueueObserver } from './observability/queue-observer.ts';
import type { Deadlines } from './orchestration/calls.ts';
import { temporalSettingsOf } from './orchestration/connection.ts';
import { openOrchestration } from './orchestration/orchestration.ts';
import { openStorage } from './storage.ts';
import { version } from './version.ts';
import { createEagerStarts } from './worker/eager-starts.ts';
import { freePort } from './worker/free-port.ts';
import type { startWorkerRole } from './worker-role.ts';

export interface RunOptions {
  readonly logger?: Logger;
  /** Only tests serve other processes than the catalog's; their workflows are in the bundle that a setting names. */
  readonly definitions?: readonly ProcessDefinition[];
  /** Only tests, whose Porticos share a Temporal server, name another task queue for the firings of schedules. */
  readonly launchQueue?: string;
}

export interface Running {
  /** Where HTTP is served; undefined in a process that only works. */
  readonly url: string | undefined;
  readonly adminUrl: string;
  /** Ends everything in order. Resolves to the exit code: 1 where something had to be cut. A second call changes nothing. */
  stop(): Promise<number>;
}

/**
 * Starts what the environment asks for. Throws for a configuration or a catalog that cannot be used, and a taken
 * port. Temporal and PostgreSQL need not be there yet: `/healthz` says what is missing.
 */
export async function run(environment: Environment, options: RunOptions = {}): Promise<Running> {
  const declared = options.definitions ?? catalog;
  checkCatalog(declared);
  const config = parseConfig(environment, declared);
  const definitions = withShares(declared, config.settingsOf);
  const logger = options.logger ?? createLogger({ level: config.logLevel });
  const metrics = createMetrics({ version, role: config.role });
  const temporal = temporalSettingsOf(temporalEnvironmentOf(config));
  const started = createStopOrder(logger);
  const checks: ReadinessCheck[] = [];
  let state: 'starting' | 'running' | 'draining' = 'starting';
  const isDraining = () => state === 'draining';
  checks.push(startCheckOf(() => state !== 'starting'));

  try {
    const coreMetricsPort = config.role === 'api' ? undefined : await coreMetricsPortOf(config);
    const facts = { version, role: config.role };
    const admin = await startAdminListener({ config, metrics, logger, checks, facts, coreMetricsPort, isDraining });
    started.push('admin listener', admin.stop);

    const queueObserver = createQueueObserver({ metrics, logger });
    const storage = openStorage({ config, logger, metrics, queueObserver });
    started.push('database', storage.close);
    checks.push(storage.checks.database, storage.checks.schema, storage.checks.commits);

    const observe = metrics.observeTemporalRequest;
    const deadlines = deadlinesOf(config);
    const { launchQueue } = options;
    const eagerStarts =
      coreMetricsPort === undefined ? undefined : createEagerStarts({ observe, count: metrics.countEagerStart });
    const orchestration = openOrchestration({
      ...{ temporal, deadlines, eagerStarts, launchQueue, observe, logger },
      cursorSecret: config.cursorSecret?.reveal(),
      visibilityPerSecond: config.temporal.visibilityPerSecond,
    });
    started.push('connection to Temporal', orchestration.close);
    checks.push(orchestration.checks.temporal, orchestration.checks.attributes);

    const shared = { config, definitions, storage, gateway: orchestration.gateway, metrics, logger };
    if (coreMetricsPort !== undefined && eagerStarts !== undefined) {
      const worker = { eagerStarts, temporal, coreMetricsPort, launchQueue };
      const workers = await startWorkerSide({ ...shared, ...worker });
      started.push('workers', workers.stop);
      checks.push(...workers.checks);
    }
    const api = config.role === 'worker' ? undefined : await startApiSide({ ...shared, deadlines, isDraining });
    if (api !== undefined) {
      started.push('HTTP', api.stop);
      checks.push(api.check);
    }
    state = 'running';
    logger.info({ version, role: config.role, url: api?.url, adminUrl: admin.url }, 'portico runs');

    let stopped: Promise<number> | undefined;
    const stop = async (): Promise<number> => {
      state = 'draining';
      logger.info({ drainDelayMs: config.shutdown.drainDelayMs }, 'portico stops');
      await sleep(config.shutdown.drainDelayMs);
      return started.stopAll();
    };
    return { url: api?.url, adminUrl: admin.url, stop: () => (stopped ??= stop()) };
  } catch (error) {
    await started.stopAll();
    throw error;
  }
}

// A process loads what its role needs: the native addon where it works, tokens and routes where it serves.
const startApiSide: typeof startApiRole = async (options) => (await import('./api-role.ts')).startApiRole(options);

const startWorkerSide: typeof startWorkerRole = async (options) =>
  (await import('./worker-role.ts')).startWorkerRole(options);

const deadlinesOf = ({ temporal }: Config): Deadlines => ({
  startMs: temporal.startDeadlineMs,
  readMs: temporal.readDeadlineMs,
  actionMs: temporal.startDeadlineMs,
});

const coreMetricsPortOf = async ({ worker }: Config): Promise<number> =>
  worker.coreMetricsPort === 0 ? freePort() : worker.coreMetricsPort;

const startCheckOf = (isStarted: () => boolean): ReadinessCheck => ({
  name: 'start',
  isNeededToServe: true,
  check() {
    if (!isStarted()) throw new Error('the process is starting');
  },
  remedy: 'wait, and see the log',
});

/** Stops in the reverse order of the start, each part even if another fails. */
function createStopOrder(logger: Logger) {
  const parts: { name: string; stop: () => Promise<void> | void }[] = [];
  return {
    push: (name: string, stop: () => Promise<void> | void): void => void parts.unshift({ name, stop }),
    async stopAll(): Promise<number> {
      let code = 0;
      for (const { name, stop } of parts.splice(0)) {
        try {
          await stop();
        } catch (error) {
          code = 1;
          logger.error({ err: error, part: name }, 'a part did not stop cleanly');
        }
      }
      return code;
    },
  };
}

const temporalEnvironmentOf = ({ temporal }: Config): Record<string, string> => ({
  TEMPORAL_NAMESPACE: temporal.namespace,
  ...temporal.environment.reveal(),
});
