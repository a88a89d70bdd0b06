import { setMaxListeners } from 'node:events';
import { createSharedPolls, type Poll, type Run } from './shared-polls.ts';

/** The run has closed; it runs on, and the caller's time is up; or nobody waited, because too many do already. */
export type WaitOutcome<End> =
  { readonly kind: 'closed'; readonly end: End } | { readonly kind: 'running' } | { readonly kind: 'not-waited' };

/**
 * Waits for runs to close. Callers of one run share a long poll, because a frontend bounds such calls. Each
 * caller holds a connection, so the callers are bounded too, in all and for each tenant. Past a bound nobody waits.
 */
export function createWaits<End>(options: {
  readonly poll: Poll<End>;
  readonly maxPolls: number;
  readonly maxWaiters: number;
  readonly maxWaitersOfTenant: number;
  /** After how long a poll is begun anew; a minute unless told otherwise. */
  readonly maxPollMs?: number;
}) {
  const polls = createSharedPolls(options);
  const waiters = createWaiterCount(options);
  const ending = new AbortController();
  // Every wait listens, and there may be thousands.
  setMaxListeners(0, ending.signal);

  return {
    /** Ends every wait, and lets none begin. */
    end: (): void => ending.abort(),

    /** Says how the wait ended: also when `signal` aborts, and at once where too many wait. Never rejects. */
    async untilClosed(
      { tenant, ...run }: { readonly tenant: string } & Run,
      waitMs: number,
      signal?: AbortSignal,
    ): Promise<WaitOutcome<End>> {
      if (ending.signal.aborted || waiters.isFull(tenant)) return { kind: 'not-waited' };
      let tell = (_end: End | undefined): void => undefined;
      const told = new Promise<End | undefined>((resolve) => {
        tell = resolve;
      });
      const leave = polls.join(run, tell);
      if (leave === undefined) return { kind: 'not-waited' };
      waiters.add(tenant);
      const signals = signal === undefined ? [ending.signal] : [signal, ending.signal];
      const endPatience = afterOrOn(waitMs, signals, () => tell(undefined));
      try {
        const end = await told;
        return end === undefined ? { kind: 'running' } : { kind: 'closed', end };
      } finally {
        endPatience();
        waiters.remove(tenant);
        leave();
      }
    },
  };
}

/** Counts callers who wait, in all and for each tenant. */
function createWaiterCount(limits: { readonly maxWaiters: number; readonly maxWaitersOfTenant: number }) {
  const countOf = new Map<string, number>();
  let count = 0;
  return {
    isFull: (tenant: string): boolean =>
      count >= limits.maxWaiters || (countOf.get(tenant) ?? 0) >= limits.maxWaitersOfTenant,
    add(tenant: string): void {
      count += 1;
      countOf.set(tenant, (countOf.get(tenant) ?? 0) + 1);
    },
    remove(tenant: string): void {
      count -= 1;
      const left = (countOf.get(tenant) ?? 0) - 1;
      if (left === 0) countOf.delete(tenant);
      else countOf.set(tenant, left);
    },
  };
}

/** Calls `stop` after `waitMs` or when a signal aborts. The returned function releases the timer and the signals. */
function afterOrOn(waitMs: number, signals: readonly AbortSignal[], stop: () => void): () => void {
  const timer = setTimeout(stop, waitMs);
  for (const signal of signals) signal.addEventListener('abort', stop, { once: true });
  if (signals.some(({ aborted }) => aborted)) stop();
  return () => {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener('abort', stop);
  };
}
