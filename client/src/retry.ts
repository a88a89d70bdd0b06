import { PorticoProblem, PorticoUnreachable } from './errors.ts';

export interface RetryOptions {
  /** How often a request is sent at most; 5 unless told. */
  readonly attempts?: number;
  /** The longest pause before the second attempt, doubled before each further one; 200 ms unless told. */
  readonly baseMs?: number;
  /** The longest pause that the client chooses itself; 10,000 ms unless told. Portico may ask for longer ones. */
  readonly maxMs?: number;
  /** No attempt begins later than this after the first; 60,000 ms unless told. */
  readonly totalMs?: number;
  /** How many retries each request earns, for all requests of the client together; 0.1 unless told. */
  readonly budget?: number;
}

const usual: Required<RetryOptions> = { attempts: 5, baseMs: 200, maxMs: 10_000, totalMs: 60_000, budget: 0.1 };

/** Retries that a client has at first, and at most. */
const fullBudget = 10;

/** When failed requests are sent again. One for each client: the budget keeps a crowd of retries from an outage. */
export function createRetries(options: RetryOptions | false) {
  const { attempts, baseMs, maxMs, totalMs, budget } =
    options === false ? { ...usual, attempts: 1 } : { ...usual, ...options };
  let left = fullBudget;
  return {
    /** To be called once for each request. */
    earn(): void {
      left = Math.min(fullBudget, left + budget);
    },

    /**
     * How long to wait before the next attempt, in milliseconds, or `undefined` where there is to be none. A request that
     * does not mean the same when it is repeated is sent again only where it did nothing.
     */
    pauseAfter(
      failure: unknown,
      made: { attempt: number; sinceMs: number; isRepeatable: boolean; totalMs?: number | undefined },
    ): number | undefined {
      if (made.attempt >= attempts || !mayRepeat(failure, made.isRepeatable)) return undefined;
      const pauseMs = pauseOf(failure, Math.min(maxMs, baseMs * 2 ** (made.attempt - 1)));
      if (made.sinceMs + pauseMs > Math.min(totalMs, made.totalMs ?? totalMs) || left < 1) return undefined;
      left -= 1;
      return pauseMs;
    },
  };
}

export type Retries = ReturnType<typeof createRetries>;

function mayRepeat(failure: unknown, isRepeatable: boolean): boolean {
  if (failure instanceof PorticoProblem) {
    return failure.retry.retryable && (isRepeatable || failure.retry.effect === 'none');
  }
  return failure instanceof PorticoUnreachable && isRepeatable && mayPass(failure.status);
}

/** Whether something else than Portico may answer otherwise soon. A page that was not found, or a redirect, stays. */
const mayPass = (status: number | undefined): boolean =>
  status === undefined || status >= 500 || status === 408 || status === 429;

/** What was asked for, and a part of the client's own pause on top: those who are sent away together come back apart. */
function pauseOf(failure: unknown, ownMs: number): number {
  const askedMs =
    failure instanceof PorticoProblem
      ? failure.retry.retryAfterMs
      : failure instanceof PorticoUnreachable
        ? failure.retryAfterMs
        : undefined;
  return (askedMs ?? 0) + Math.random() * ownMs;
}
