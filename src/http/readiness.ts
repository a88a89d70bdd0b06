import { withTimeLimit } from '../timing/time-limit.ts';

/** Something that the process depends on. */
export interface ReadinessCheck {
  readonly name: string;
  /** True while this role cannot take any work without it, asked at each probe. Not set: callers are told by an answer what is away. */
  readonly isNeededToServe?: boolean;
  /** Resolves if it is there. The message of what it throws is shown on the admin listener. */
  readonly check: () => Promise<void> | void;
  /** What an operator does about it, such as a command to run. */
  readonly remedy?: string;
}

export interface CheckReport {
  readonly name: string;
  readonly status: 'ok' | 'failed';
  /** Why, where it failed. One line. */
  readonly reason?: string;
  readonly remedy?: string;
}

/**
 * Runs all checks side by side, each within `timeoutMs`. A report is used for `maxAgeMs`, one with a failure for
 * `maxFailedAgeMs`: what waits for readiness waits no longer than that. Checks that run are waited for rather than begun
 * again, so that probes cannot become load. Never rejects.
 */
export function createReadiness(
  checks: () => readonly ReadinessCheck[],
  { timeoutMs = 1_000, maxAgeMs = 1_000, maxFailedAgeMs = 50 } = {},
): () => Promise<readonly CheckReport[]> {
  let report: Promise<readonly CheckReport[]> | undefined;
  let freshUntil = Number.NEGATIVE_INFINITY;

  return () => {
    if (report === undefined || performance.now() >= freshUntil) {
      freshUntil = Number.POSITIVE_INFINITY;
      report = Promise.all(checks().map((check) => runCheck(check, timeoutMs))).then((made) => {
        const isGood = made.every(({ status }) => status === 'ok');
        freshUntil = performance.now() + (isGood ? maxAgeMs : maxFailedAgeMs);
        return made;
      });
    }
    return report;
  };
}

async function runCheck({ name, check, remedy }: ReadinessCheck, timeoutMs: number): Promise<CheckReport> {
  try {
    await withTimeLimit(Promise.resolve().then(check), timeoutMs);
    return { name, status: 'ok' };
  } catch (error) {
    return { name, status: 'failed', reason: reasonOf(error), ...(remedy === undefined ? {} : { remedy }) };
  }
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : 'it failed').replaceAll(/\s+/g, ' ').slice(0, 300);
