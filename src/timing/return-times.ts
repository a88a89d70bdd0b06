/** Nobody is told to come back earlier, because HTTP's `Retry-After` counts whole seconds. */
const soonestMs = 1_000;
const latestMs = 30_000;

/**
 * Tells each who is refused after how many milliseconds to come back. The moments follow one another, as many in a second
 * as `perSecond` says, so that those who obey come no faster than they can be served. `ahead` is how many wait already.
 * Half as much again is added at random. Nobody is sent away for more than 45 seconds.
 */
export function createReturnTimes(options: {
  /** How many returns a second can be served. Asked at each refusal. */
  readonly perSecond: () => number;
  readonly nowMs?: () => number;
}): (ahead: number) => number {
  const { perSecond, nowMs = () => performance.now() } = options;
  let lastToldMs = Number.NEGATIVE_INFINITY;
  return (ahead) => {
    const now = nowMs();
    const eachMs = 1_000 / perSecond();
    const next = Math.max(lastToldMs, now + ahead * eachMs) + eachMs;
    lastToldMs = Math.min(next, now + latestMs);
    return Math.round(Math.max(lastToldMs - now, soonestMs) * (1 + Math.random() / 2));
  };
}
