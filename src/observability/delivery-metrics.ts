import { Counter, Histogram, type Registry } from 'prom-client';

/** An attempt as it is counted. `reason` is one of the constant words of the adapters, or the code of a problem. */
interface CountedAttempt {
  readonly kind: 'delivered' | 'failed' | 'dead' | 'lost' | 'deferred';
  readonly reason?: string;
}

/** From a tenth of a second to ten minutes. */
const latenessBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];
const durationBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30];

/** The metrics of deliveries. Label values come from closed sets: no tenant and no receiver is in them. */
export function createDeliveryMetrics(registers: Registry[]) {
  const lateness = new Histogram({
    name: 'portico_delayed_task_lateness_seconds',
    help: 'From the time at which a delayed task was due to its first attempt.',
    labelNames: ['target'],
    buckets: latenessBuckets,
    registers,
  });
  const attempts = new Counter({
    name: 'portico_delivery_attempts_total',
    help: 'Attempts to deliver, by target, result and reason (or none). Deferred ones gave slow receivers no more room.',
    labelNames: ['target', 'result', 'reason'],
    registers,
  });
  const durations = new Histogram({
    name: 'portico_delivery_attempt_duration_seconds',
    help: 'How long attempts to deliver took, with the wait for room, by target and result.',
    labelNames: ['target', 'result'],
    buckets: durationBuckets,
    registers,
  });
  const deadLetters = new Counter({
    name: 'portico_delayed_task_dead_letters_total',
    help: 'Delayed tasks whose attempts had all failed. Each waits to be delivered again.',
    registers,
  });
  const goneEndpoints = new Counter({
    name: 'portico_endpoints_gone_total',
    help: 'Endpoints that were disabled because their receivers answered 410.',
    registers,
  });

  return {
    observeLateness: (target: string, seconds: number): void => lateness.observe({ target }, seconds),
    /** One that was deferred took no time. */
    observeAttempt(target: string, { kind, reason = 'none' }: CountedAttempt, seconds: number): void {
      attempts.inc({ target, result: kind, reason });
      if (kind !== 'deferred') durations.observe({ target, result: kind }, seconds);
    },
    countDeadLetter: (): void => deadLetters.inc(),
    countGoneEndpoint: (): void => goneEndpoints.inc(),
  };
}
