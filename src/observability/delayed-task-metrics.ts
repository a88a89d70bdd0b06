import { Counter, Histogram, type Registry } from 'prom-client';

/** From a tenth of a second to ten minutes. */
const buckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** The metrics of delayed tasks. Label values come from closed sets. */
export function createDelayedTaskMetrics(registers: Registry[]) {
  const lateness = new Histogram({
    name: 'portico_delayed_task_lateness_seconds',
    help: 'From the time at which a delayed task was due to its first attempt.',
    labelNames: ['target'],
    buckets,
    registers,
  });
  const attempts = new Counter({
    name: 'portico_delayed_task_attempts_total',
    help: 'Attempts to deliver delayed tasks by target and result; deferred ones gave slow receivers no more room.',
    labelNames: ['target', 'result'],
    registers,
  });
  const deadLetters = new Counter({
    name: 'portico_delayed_task_dead_letters_total',
    help: 'Delayed tasks whose attempts had all failed. Each waits to be delivered again.',
    registers,
  });
  return {
    observeLateness: (target: string, seconds: number): void => lateness.observe({ target }, seconds),
    countAttempt: (target: string, result: string): void => attempts.inc({ target, result }),
    countDeadLetter: (): void => deadLetters.inc(),
  };
}
