import { backoffMs } from './outcome.ts';

/**
 * Holds everybody back after a failure and lets one probe go from time to time. Each failed probe makes the next wait
 * longer, up to `longestMs`. A new brake lets a probe go at once.
 */
export function createBrake(options: { readonly shortestMs: number; readonly longestMs: number }) {
  let isOpen = false;
  let isProbing = false;
  let failures = 0;
  let probeAtMs = performance.now();

  return {
    /** `go`; or `probe`, which has to end in one of the functions below; or how many milliseconds to wait. */
    ask(): 'go' | 'probe' | number {
      if (isOpen) return 'go';
      const waitMs = probeAtMs - performance.now();
      if (isProbing || waitMs > 0) return Math.max(waitMs, pollMs);
      isProbing = true;
      return 'probe';
    },
    isOpen: (): boolean => isOpen,
    release(): void {
      [isOpen, isProbing, failures] = [true, false, 0];
    },
    /** There was nothing to probe with. */
    keep(): void {
      isProbing = false;
    },
    /** Of several failures at once, the first alone makes the next wait longer. */
    pull({ askedMs, wasProbe }: { askedMs: number; wasProbe: boolean }): void {
      if (!isOpen && !wasProbe) return;
      failures += 1;
      [isOpen, isProbing] = [false, false];
      probeAtMs = performance.now() + backoffMs({ ...options, failures, askedMs });
    },
  };
}

const pollMs = 50;
