/** After so many ungranted starts on end, asking does not pay. As many may be under way at once. */
const maxUngranted = 32;

/** Between two starts that are asked eagerly all the same: at first, and at most. Milliseconds. */
const [firstProbeMs, lastProbeMs] = [100, 5_000];

export type Grants = ReturnType<typeof createGrants>;

/**
 * Whether to ask for the first task of a start. A start that asks costs more processor time, and a server may grant no
 * such task: it has the feature switched off, or the worker has no free slot. After 32 starts on end that were not
 * granted, only probes ask: the first after 100 ms, each later one after twice the time, and every five seconds at last.
 * The first task that is granted ends that.
 */
export function createGrants(nowMs: () => number = () => performance.now()) {
  let ungranted = 0;
  let probeAfterMs = firstProbeMs;
  let askedAtMs = Number.NEGATIVE_INFINITY;
  const onlyProbes = () => ungranted >= maxUngranted;

  return {
    isWorthAsking: (): boolean => !onlyProbes() || nowMs() - askedAtMs >= probeAfterMs,

    /** To be called for each start that asks, in the same turn of the event loop as the question whether to. */
    ask(): void {
      if (onlyProbes() && nowMs() - askedAtMs >= probeAfterMs) probeAfterMs = Math.min(2 * probeAfterMs, lastProbeMs);
      askedAtMs = nowMs();
    },

    /** Takes an answer. Starts that failed, and those of an id that exists, say nothing. */
    see(isGranted: boolean): void {
      ungranted = isGranted ? 0 : ungranted + 1;
      if (isGranted) probeAfterMs = firstProbeMs;
    },
  };
}
