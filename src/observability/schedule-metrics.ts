import { Histogram, type Registry } from 'prom-client';

/** From the twentieth of a second to an hour: a firing may wait for workers. */
const buckets = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];

/** The metrics of the firings of schedules. */
export function createScheduleMetrics(registers: Registry[]) {
  const firings = new Histogram({
    name: 'portico_schedule_firing_seconds',
    help: 'Firings of schedules by process and result, from their begin until their instance was there.',
    labelNames: ['process', 'result'],
    buckets,
    registers,
  });

  return {
    /** `result` is how the start was answered, the code of its problem, or `missed`. */
    observeFiring: (processName: string, result: string, seconds: number): void =>
      firings.observe({ process: processName, result }, seconds),
  };
}
