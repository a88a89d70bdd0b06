/** Resolves to true once the instance has closed, to false when `signal` aborts or the poll gave up. */
export type Poll = (workflowId: string, signal: AbortSignal) => Promise<boolean>;

interface SharedPoll {
  /** Never rejects. */
  readonly closed: Promise<boolean>;
  readonly controller: AbortController;
  waiters: number;
}

/** One poll for each instance, however many wait for it, and at most `maxPolls` of them. */
export function createSharedPolls({ poll, maxPolls }: { poll: Poll; maxPolls: number }) {
  const polls = new Map<string, SharedPoll>();

  function begin(workflowId: string): SharedPoll | undefined {
    if (polls.size >= maxPolls) return undefined;
    const controller = new AbortController();
    const closed = poll(workflowId, controller.signal).catch(() => false);
    const shared: SharedPoll = { closed, controller, waiters: 0 };
    polls.set(workflowId, shared);
    void closed.finally(() => forget(workflowId, shared));
    return shared;
  }

  function forget(workflowId: string, shared: SharedPoll): void {
    if (polls.get(workflowId) === shared) polls.delete(workflowId);
  }

  return {
    /** Joins the poll for the instance, or begins one; undefined where there are too many. Call `leave` once. */
    join(workflowId: string): { readonly closed: Promise<boolean>; leave(): void } | undefined {
      const shared = polls.get(workflowId) ?? begin(workflowId);
      if (shared === undefined) return undefined;
      shared.waiters += 1;
      return {
        closed: shared.closed,
        leave(): void {
          shared.waiters -= 1;
          if (shared.waiters > 0) return;
          forget(workflowId, shared);
          shared.controller.abort();
        },
      };
    },
  };
}
