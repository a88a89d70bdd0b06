import { Counter, Histogram, type Registry } from 'prom-client';

/** An attempt as it is counted. `reason` is one of the constant words of the adapters. */
interface CountedAttempt {
  readonly kind: 'delivered' | 'failed' | 'dead';
  readonly reason?: string;
}

/** The metrics of what this process tried to deliver. */
export function createDeliveryMetrics(registers: Registry[]) {
  const attempts = new Counter({
    name: 'portico_delivery_attempts_total',
    help: 'Attempts to deliver, by what delivers, how the attempt ended and why it failed (none where it did not).',
    labelNames: ['by', 'result', 'reason'],
    registers,
  });
  const durations = new Histogram({
    name: 'portico_delivery_attempt_duration_seconds',
    help: 'How long attempts to deliver took, with the wait for room, by what delivers and how the attempt ended.',
    labelNames: ['by', 'result'],
    buckets: [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 30],
    registers,
  });
  return {
    observeAttempt(by: 'webhook' | 'queue', { kind, reason = 'none' }: CountedAttempt, seconds: number): void {
      attempts.inc({ by, result: kind, reason });
      durations.observe({ by, result: kind }, seconds);
    },
  };
}
