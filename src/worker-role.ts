import type { Logger } from 'pino';
import { createActivities } from '../activities/index.ts';
import type { Config } from './config/config.ts';
import type { ProcessDefinition } from './definition/definition.ts';
import type { Metrics } from './observability/metrics.ts';
import type { temporalSettingsOf } from './orchestration/connection.ts';
import type { Storage } from './storage.ts';
import { workflowBundleOf } from './worker/bundle.ts';
import { createEagerStarts } from './worker/eager-starts.ts';
import { installRuntime } from './worker/runtime.ts';
import { startWorkers } from './worker/workers.ts';

interface WorkerRoleOptions {
  readonly config: Config;
  readonly definitions: readonly ProcessDefinition[];
  readonly storage: Storage;
  readonly temporal: ReturnType<typeof temporalSettingsOf>;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly coreMetricsPort: number;
  /** The module whose exports are the workflows; only tests name another than Portico's own. */
  readonly workflowsPath?: string | undefined;
}

/**
 * Runs the workers. This module and what it imports load the native addon: a process without workers never imports it.
 * The door for eager starts is shut until the workers run.
 */
export async function startWorkerRole(options: WorkerRoleOptions) {
  const { config, logger, metrics, storage, temporal } = options;
  installRuntime({ logger, metricsPort: options.coreMetricsPort });
  const eagerStarts = createEagerStarts(metrics.observeTemporalRequest);
  const workers = startWorkers({
    connection: temporal.connection,
    namespace: temporal.namespace,
    taskQueues: [...new Set(options.definitions.map(({ taskQueue }) => taskQueue))],
    workflowBundle: await workflowBundleOf({
      bundlePath: config.worker.bundlePath,
      workflowsPath: options.workflowsPath,
      logger,
    }),
    activities: createActivities({ ...storage.adapters, settingsOf: config.settingsOf }),
    eagerStarts,
    logger,
    countOutcome: metrics.countOutcome,
    slots: {
      workflowTasks: config.worker.workflowSlots,
      activities: config.worker.activitySlots,
      cachedWorkflows: config.worker.cachedWorkflows,
    },
    shutdown: { graceMs: config.shutdown.workerGraceMs, forceMs: config.shutdown.workerForceMs },
  });
  return { workers, eagerStarts };
}
