/** How often something came in the window that runs. */
export interface Count {
  readonly isExceeded: boolean;
  readonly remaining: number;
  /** How long the window still runs, in milliseconds; 0 if none does. */
  readonly leftMs: number;
}

interface Window {
  count: number;
  readonly beganAtMs: number;
}

/** Counters forget the key that came longest ago once they know this many. */
const maxKeys = 5_000;

/**
 * Counts by key in windows of `windowMs`, each of which begins with the first one counted. Everything is synchronous and in
 * this process. `look` counts nothing.
 */
export function createCounter(options: { max: number; windowMs: number; nowMs?: () => number }) {
  const { max, windowMs, nowMs = Date.now } = options;
  const windows = new Map<string, Window>();

  function running(key: string, now: number): Window | undefined {
    const window = windows.get(key);
    return window !== undefined && window.beganAtMs + windowMs > now ? window : undefined;
  }

  const told = ({ count, beganAtMs }: Window, now: number): Count => ({
    isExceeded: count > max,
    remaining: Math.max(0, max - count),
    leftMs: Math.min(windowMs, beganAtMs + windowMs - now),
  });

  return {
    max,

    count(key: string): Count {
      const now = nowMs();
      const window = running(key, now) ?? { count: 0, beganAtMs: now };
      window.count += 1;
      // The key that was counted last comes last.
      windows.delete(key);
      windows.set(key, window);
      if (windows.size > maxKeys) {
        for (const oldest of windows.keys()) {
          windows.delete(oldest);
          break;
        }
      }
      return told(window, now);
    },

    look(key: string): Count {
      const now = nowMs();
      const window = running(key, now);
      return window === undefined ? { isExceeded: false, remaining: max, leftMs: 0 } : told(window, now);
    },
  };
}
