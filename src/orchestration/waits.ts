import { setMaxListeners } from 'node:events';
import { createSharedPolls, type Poll } from './shared-polls.ts';

/**
 * Waits for instances to close. Callers of one instance share a long poll, because a frontend bounds such calls. Each
 * caller holds a connection, so the callers are bounded too, in all and for each tenant. Past a bound nobody waits.
 */
export function createWaits(options: {
  readonly poll: Poll;
  readonly maxPolls: number;
  readonly maxWaiters: number;
  readonly maxWaitersOfTenant: number;
}) {
  const polls = createSharedPolls(options);
  const waiters = createWaiterCount(options);
  const ending = new AbortController();
  // Every wait listens, and there may be thousands.
  setMaxListeners(0, ending.signal);

  return {
    /** Ends every wait, and lets none begin. */
    end: (): void => ending.abort(),

    /** True as soon as the instance has closed, false after `waitMs`, when `signal` aborts, or when too many wait. */
    async untilClosed(
      { tenant, workflowId }: { tenant: string; workflowId: string },
      waitMs: number,
      signal?: AbortSignal,
    ): Promise<boolean> {
      if (ending.signal.aborted || waiters.isFull(tenant)) return false;
      const poll = polls.join(workflowId);
      if (poll === undefined) return false;
      waiters.add(tenant);
      const patience = createPatience(waitMs, signal === undefined ? [ending.signal] : [signal, ending.signal]);
      try {
        return await Promise.race([poll.closed, patience.isOver]);
      } finally {
        patience.end();
        waiters.remove(tenant);
        poll.leave();
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

/** Resolves `isOver` to false after `waitMs` or when a signal aborts. `end` releases the timer and the signals. */
function createPatience(waitMs: number, signals: readonly AbortSignal[]) {
  let stop = () => {};
  const isOver = new Promise<false>((resolve) => {
    stop = () => resolve(false);
  });
  const timer = setTimeout(stop, waitMs);
  for (const signal of signals) signal.addEventListener('abort', stop, { once: true });
  if (signals.some(({ aborted }) => aborted)) stop();
  return {
    isOver,
    end(): void {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', stop);
    },
  };
}
