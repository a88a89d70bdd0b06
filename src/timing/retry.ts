import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Repeats `work` until it succeeds or `signal` aborts, `everyMs` milliseconds after each failure. Never rejects. Resolves
 * to whether the work was done.
 */
export async function retryUntilDone(options: {
  readonly work: () => Promise<void>;
  /** May depend on the failure. */
  readonly everyMs: number | ((error: unknown) => number);
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}): Promise<boolean> {
  const { work, everyMs, signal, onFailure } = options;
  while (!signal.aborted) {
    try {
      await work();
      return true;
    } catch (error) {
      onFailure(error);
      const restMs = typeof everyMs === 'number' ? everyMs : everyMs(error);
      await sleep(restMs, undefined, { signal }).catch(() => undefined);
    }
  }
  return false;
}

/** A handler of failures that passes on only those whose message differs from the one before. */
export function onEachNew(onFailure: (error: unknown, reason: string) => void): (error: unknown) => void {
  let lastReason: string | undefined;
  return (error) => {
    const reason = error instanceof Error ? error.message : String(error);
    if (reason !== lastReason) onFailure(error, reason);
    lastReason = reason;
  };
}
