/** A window closes after this time at the earliest, and with this many requests at least. */
const windowMs = 100;
const windowCount = 8;

/** A mean below this is never slow, whatever is usual. */
const neverSlowMs = 10;

/** How long requests are taken to take before any did. */
const assumedMs = 25;

/** Slow is what takes so many times as long as usual. */
const tolerance = 3;

/** What has been so for this long is usual. One window counts for no more than a minute of it. */
const usualAfterMs = 600_000;
const longestWindowMs = 60_000;

/**
 * How many requests may be under way at once, by how long they take. Each window of requests is compared with the usual
 * time, which is the least mean of any window and rises slowly. A slow window cuts the limit to the share of what was under
 * way that would not be slow, to the half at most. Any other window adds the square root of the limit. Few requests close
 * no window, so that a quiet service is never judged.
 *
 * Source: the gradient and the root of Netflix' concurrency-limits (Gradient2Limit), with a least time in the place of its
 * long average, which a long overload makes the usual.
 */
export function createLatencyLimit({ floor, ceiling }: { readonly floor: number; readonly ceiling: number }) {
  let limit = ceiling;
  let usualMs = Number.POSITIVE_INFINITY;
  let meanMs = assumedMs;
  let window = { beganAtMs: Number.NEGATIVE_INFINITY, count: 0, sumMs: 0, mostUnderWay: 0 };

  function judge(lastedMs: number): void {
    meanMs = window.sumMs / window.count;
    const slowMs = Math.max(tolerance * usualMs, neverSlowMs);
    if (meanMs > slowMs) {
      const share = Math.max(slowMs / meanMs, 0.5);
      limit = Math.max(floor, Math.min(limit, window.mostUnderWay) * share);
    } else {
      limit = Math.min(ceiling, limit + Math.sqrt(limit));
    }
    if (meanMs < usualMs) usualMs = meanMs;
    else usualMs += (meanMs - usualMs) * Math.min(lastedMs / usualAfterMs, 1);
  }

  return {
    /** A whole number between the floor and the ceiling. */
    get limit(): number {
      return Math.floor(limit);
    },
    /** How long a request took on average in the last window; at least one. */
    get meanMs(): number {
      return Math.max(meanMs, 1);
    },
    /** To be told of each request that ended, with how many were under way then, itself included. */
    see(tookMs: number, underWay: number, nowMs: number): void {
      window.count += 1;
      window.sumMs += tookMs;
      if (underWay > window.mostUnderWay) window.mostUnderWay = underWay;
      const lastedMs = nowMs - window.beganAtMs;
      if (lastedMs < windowMs || window.count < windowCount) return;
      judge(Math.min(lastedMs, longestWindowMs));
      window = { beganAtMs: nowMs, count: 0, sumMs: 0, mostUnderWay: 0 };
    },
  };
}
