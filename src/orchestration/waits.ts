import { setMaxListeners } from 'node:events';

/**
 * Waits for instances to close. However many callers wait for one instance, Temporal sees one long poll; and only so
 * many instances are polled at once, because a frontend bounds its long-running calls. Only so many callers wait, and so
 * many of one tenant, because each of them holds a connection. Past that nobody waits.
 */
export function createWaits(options: {
  /** Resolves to true once the instance has closed, to false when `signal` aborts or the poll gave up. */
  readonly poll: (workflowId: string, signal: AbortSignal) => Promise<boolean>;
  readonly maxPolls: number;
  readonly maxWaiters: number;
  readonly maxWaitersOfTenant: number;
}) {
  interface SharedPoll {
    readonly closed: Promise<boolean>;
    readonly controller: AbortController;
    waiters: number;
  }
  const polls = new Map<string, SharedPoll>();
  const waitersOf = new Map<string, number>();
  let waiters = 0;
  const ending = new AbortController();
  // Every wait listens, and there may be thousands.
  setMaxListeners(0, ending.signal);

  function join(workflowId: string): SharedPoll | undefined {
    const running = polls.get(workflowId);
    if (running !== undefined) return running;
    if (polls.size >= options.maxPolls || ending.signal.aborted) return undefined;
    const controller = new AbortController();
    const closed = options.poll(workflowId, controller.signal).catch(() => false);
    const poll: SharedPoll = { closed, controller, waiters: 0 };
    polls.set(workflowId, poll);
    void closed.finally(() => {
      if (polls.get(workflowId) === poll) polls.delete(workflowId);
    });
    return poll;
  }

  function leave(workflowId: string, poll: SharedPoll): void {
    poll.waiters -= 1;
    if (poll.waiters > 0) return;
    if (polls.get(workflowId) === poll) polls.delete(workflowId);
    poll.controller.abort();
  }

  function countWaiter(tenant: string, change: 1 | -1): void {
    waiters += change;
    const count = (waitersOf.get(tenant) ?? 0) + change;
    if (count === 0) waitersOf.delete(tenant);
    else waitersOf.set(tenant, count);
  }

  return {
    /** Ends every wait, and lets none begin. */
    end: (): void => ending.abort(),

    /** True as soon as the instance has closed, false after `waitMs`, when `signal` aborts, or when too many wait. */
    async untilClosed(
      { tenant, workflowId }: { tenant: string; workflowId: string },
      waitMs: number,
      signal?: AbortSignal,
    ): Promise<boolean> {
      if (waiters >= options.maxWaiters || (waitersOf.get(tenant) ?? 0) >= options.maxWaitersOfTenant) return false;
      const poll = join(workflowId);
      if (poll === undefined) return false;
      poll.waiters += 1;
      countWaiter(tenant, 1);
      let stop = () => {};
      const gaveUp = new Promise<false>((resolve) => {
        stop = () => resolve(false);
      });
      const timer = setTimeout(stop, waitMs);
      signal?.addEventListener('abort', stop, { once: true });
      ending.signal.addEventListener('abort', stop, { once: true });
      if (signal?.aborted) stop();
      try {
        return await Promise.race([poll.closed, gaveUp]);
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener('abort', stop);
        ending.signal.removeEventListener('abort', stop);
        countWaiter(tenant, -1);
        leave(workflowId, poll);
      }
    },
  };
}
