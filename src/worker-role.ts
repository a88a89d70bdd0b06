import type { Logger } from 'pino';
import { createActivities } from '../activities/index.ts';
import { permanentRowsIn, reconciliationsIn } from './adapters/index.ts';
import type { Config } from './config/config.ts';
import type { ProcessDefinition } from './definition/definition.ts';
import type { ReadinessCheck } from './http/readiness.ts';
import type { Metrics } from './observability/metrics.ts';
import type { temporalSettingsOf } from './orchestration/connection.ts';
import { defaultLaunchQueue, type Gateway } from './orchestration/gateway.ts';
import type { Storage } from './storage.ts';
import { signalOf } from './worker/activity-signal.ts';
import { workflowBundleOf } from './worker/bundle.ts';
import { createDeliveryRoom } from './worker/delivery-room.ts';
import type { WorkerEagerStarts } from './worker/eager-starts.ts';
import { startReconciliation } from './worker/reconcile.ts';
import { installRuntime } from './worker/runtime.ts';
import { superviseWorkers } from './worker/supervise.ts';

interface WorkerRoleOptions {
  readonly config: Config;
  readonly definitions: readonly ProcessDefinition[];
  readonly storage: Storage;
  readonly temporal: ReturnType<typeof temporalSettingsOf>;
  readonly gateway: Gateway;
  /** Shut until the workers run. */
  readonly eagerStarts: WorkerEagerStarts;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly coreMetricsPort: number;
  /** Where the firings of schedules are worked on; only tests name another queue than Portico's own. */
  readonly launchQueue?: string | undefined;
}

/**
 * Runs the workers, from the moment at which the database can be used. This module and what it imports load the native
 * addon: a process without workers never imports it.
 */
export async function startWorkerRole(options: WorkerRoleOptions) {
  const { config, eagerStarts, gateway, logger, metrics, storage, temporal } = options;
  const runtime = installRuntime({ logger, metricsPort: options.coreMetricsPort });
  const judging = { ...storage.workAdapters, gateway, settingsOf: config.settingsOf, catalog: options.definitions };
  const dependencies = {
    ...judging,
    judging,
    permanentRows: permanentRowsIn(storage.workAdapters),
    deliveryObserver: metrics.deliveries,
    deliveryRoom: createDeliveryRoom({
      slots: config.worker.deliverySlots,
      perReceiver: config.worker.deliverySlotsPerReceiver,
    }),
    signalOf,
    definitions: options.definitions,
    observeFiring: metrics.observeFiring,
  };
  let reconciliation: ReturnType<typeof startReconciliation> | undefined;
  const workers = superviseWorkers({
    connection: temporal.connection,
    namespace: temporal.namespace,
    taskQueues: [
      ...new Set(options.definitions.map(({ taskQueue }) => taskQueue)),
      options.launchQueue ?? defaultLaunchQueue,
    ],
    deliveryQueues: deliveryQueuesOf(options.definitions),
    workflowBundle: await workflowBundleOf({ bundlePath: config.worker.bundlePath, logger }),
    activities: createActivities(dependencies),
    eagerStarts,
    // On a schema that is older than its code a worker would fail what it takes, and a reconciler would find nothing.
    async untilUsable(signal, onMissing) {
      await storage.untilUsable(signal, onMissing);
      if (signal.aborted) return;
      reconciliation ??= startReconciliation({
        definitions: options.definitions,
        reconciliations: reconciliationsIn(storage.workAdapters, config.settingsOf),
        gateway,
        metrics: metrics.money,
        logger,
      });
    },
    logger,
    countOutcome: metrics.countOutcome,
    slots: slotsOf(config),
    actionDeadlineMs: config.temporal.startDeadlineMs,
    shutdown: { graceMs: config.shutdown.workerGraceMs, forceMs: config.shutdown.workerForceMs },
  });
  const { queues } = storage.workAdapters;
  queues.connect();
  return {
    checks: [
      {
        name: 'workers',
        check: workers.check,
        // In a process that serves HTTP as well, a worker that reconnects takes no HTTP away.
        isNeededToServe: config.role === 'worker',
        remedy: 'see the other checks: workers need Temporal, its namespace, the schema and its rights',
      },
      ...(queues.isConfigured ? [{ name: 'queues', check: queues.check, remedy: queuesRemedy }] : []),
    ] satisfies ReadinessCheck[],

    async stop(): Promise<void> {
      await Promise.all([reconciliation?.stop(), workers.stop()]).finally(queues.close);
      if (reconciliation === undefined) await runtime.endUnused();
    },
  };
}

const slotsOf = ({ worker }: Config) => ({
  workflowTasks: worker.workflowSlots,
  activities: worker.activitySlots,
  deliveries: worker.deliverySlots,
  cachedWorkflows: worker.cachedWorkflows,
});

const deliveryQueuesOf = (definitions: readonly ProcessDefinition[]): string[] => [
  ...new Set(definitions.flatMap((each) => (each.hasDeliveries === true ? [`${each.taskQueue}.deliveries`] : []))),
];
const queuesRemedy =
  'see that the broker runs, and that PORTICO_QUEUES_BROKER_URL names it with a user, its password and a virtual host';
