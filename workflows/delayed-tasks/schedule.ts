const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;

/**
 * The pauses before the second attempt and those after it, in milliseconds: with the first attempt at once, the schedule
 * that Standard Webhooks documents, 75.6 hours in all. A task in flight keeps what its timers say, so these may change.
 */
const usualDelaysMs: readonly number[] = [
  5 * second,
  5 * minute,
  30 * minute,
  2 * hour,
  5 * hour,
  10 * hour,
  14 * hour,
  20 * hour,
  24 * hour,
];

/** The share of a pause that chance adds at most, so that receivers which fail together are not retried together. */
const jitter = 0.1;

interface Retry {
  readonly maxAttempts?: number | undefined;
  /** Milliseconds. */
  readonly delays?: readonly number[] | undefined;
}

/** The attempts of one series: those after the creation, or after a redelivery. */
export const maxAttemptsOf = ({ maxAttempts, delays = usualDelaysMs }: Retry = {}): number =>
  maxAttempts ?? delays.length + 1;

/** The pause after `attempts` attempts of a series, at least what the receiver asked for. The last one is repeated. */
export function pauseMsAfter(attempts: number, { delays = usualDelaysMs }: Retry = {}, askedMs = 0): number {
  const base = delays[Math.min(attempts, delays.length) - 1] ?? 0;
  // The randomness of a workflow is the same at replay.
  return Math.round(Math.max(base, askedMs) * (1 + jitter * Math.random()));
}
