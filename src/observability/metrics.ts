import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { createAdmissionMetrics } from './admission-metrics.ts';
import { createDeliveryMetrics } from './delivery-metrics.ts';
import { createInstanceMetrics } from './instance-metrics.ts';
import { createMoneyMetrics } from './money-metrics.ts';
import { createQueueMetrics } from './queue-metrics.ts';
import { createScheduleMetrics } from './schedule-metrics.ts';
import { createSchemaWaits } from './schema-waits.ts';

/** One HTTP request that ended, or one item of a batch. `route` is a template from the router, never the path that was asked for. */
export interface RequestObservation {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

/** Portico's own metrics, Prometheus naming. Every label value comes from a closed set. */
export type Metrics = ReturnType<typeof createMetrics>;

const buckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

// Gauges that end in `_total`, which Prometheus keeps for counters.
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export function createMetrics(build: { version: string; role: string }) {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of misnamed) registry.removeSingleMetric(name);

  new Gauge({
    name: 'portico_build_info',
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'role', 'node'],
    registers,
  }).set({ ...build, node: process.version }, 1);
  const starts = new Counter({
    name: 'portico_starts_total',
    help: 'Answered starts by process and Idempotency-Status; mismatch and unknown are those that ended in a problem.',
    labelNames: ['process', 'idempotency_status'],
    registers,
  });
  const outcomes = new Counter({
    name: 'portico_outcomes_total',
    help: 'Instances that ended in this worker, by process and outcome.',
    labelNames: ['process', 'outcome'],
    registers,
  });

  return {
    ...createHttpMetrics(registers),
    ...createAdmissionMetrics(registers),
    ...createTemporalMetrics(registers),
    ...createQueueMetrics(registers),
    ...createScheduleMetrics(registers),
    ...createInstanceMetrics(registers),
    countStart: (processName: string, idempotencyStatus: string): void =>
      starts.inc({ process: processName, idempotency_status: idempotencyStatus }),
    countOutcome: (processName: string, outcome: string): void => outcomes.inc({ process: processName, outcome }),
    countSchemaWait: createSchemaWaits(registers),
    deliveries: createDeliveryMetrics(registers),
    /** Of money that is on its way or waits for people. */
    money: createMoneyMetrics(registry),
    /** The exposition in Prometheus' text format 0.0.4. */
    text: (): Promise<string> => registry.metrics(),
  };
}

function createHttpMetrics(registers: Registry[]) {
  const requests = new Histogram({
    name: 'portico_http_request_duration_seconds',
    help: 'HTTP requests, and items of batches, by route template and status, until the answer was written or the caller was gone (499).',
    labelNames: ['method', 'route', 'status'],
    buckets,
    registers,
  });
  const droppedConnections = new Counter({
    name: 'portico_http_connections_dropped_total',
    help: 'Connections closed unheard, by the limit that they were past: of all, or of one address.',
    labelNames: ['limit'],
    registers,
  });

  const batches = new Histogram({
    name: 'portico_batch_items',
    help: 'Items of the batches that were read.',
    buckets: [1, 2, 5, 10, 20, 50, 100],
    registers,
  });

  return {
    observeBatch: (items: number): void => batches.observe(items),
    observeRequest: ({ method, route, status, seconds }: RequestObservation): void =>
      requests.observe({ method, route, status }, seconds),
    countDroppedConnection: (limit: 'all' | 'address'): void => droppedConnections.inc({ limit }),
  };
}

function createTemporalMetrics(registers: Registry[]) {
  const temporalRequests = new Histogram({
    name: 'portico_temporal_request_duration_seconds',
    help: 'Requests to Temporal by method and gRPC status, retries counted each.',
    labelNames: ['method', 'code'],
    buckets,
    registers,
  });
  const temporalFailures = new Counter({
    name: 'portico_temporal_request_failures_total',
    help: 'Requests to Temporal that failed, by method and gRPC status; those that Portico gave up itself are none.',
    labelNames: ['method', 'code'],
    registers,
  });
  const eagerStarts = new Counter({
    name: 'portico_eager_starts_total',
    help: 'Starts that asked for their first task: granted, not-granted, or failed where nothing was started for certain.',
    labelNames: ['result'],
    registers,
  });
  return {
    /** `code` is the name of the gRPC status, such as `OK` or `UNAVAILABLE`. */
    observeTemporalRequest: (method: string, code: string, seconds: number): void => {
      temporalRequests.observe({ method, code }, seconds);
      if (code !== 'OK' && code !== 'CANCELLED') temporalFailures.inc({ method, code });
    },
    /** `result` is `granted`, `not-granted` or `failed`. */
    countEagerStart: (result: string): void => eagerStarts.inc({ result }),
  };
}
