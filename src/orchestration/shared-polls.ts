/** Resolves to true once the instance has closed, to false when `signal` aborts or the poll gave up. */
export type Poll = (workflowId: string, signal: AbortSignal) => Promise<boolean>;

type Tell = (isClosed: boolean) => void;

interface SharedPoll {
  /** Told once each. A promise for all would keep what hangs on it for as long as one of them waits. */
  readonly waiting: Set<Tell>;
  round: AbortController;
}

/**
 * One poll for each instance, however many wait for it, and at most `maxPolls` of them. A poll is begun anew after
 * `maxPollMs`, so that nothing it holds grows for as long as callers come and go.
 */
export function createSharedPolls(options: { poll: Poll; maxPolls: number; maxPollMs?: number | undefined }) {
  const { poll, maxPolls, maxPollMs = 60_000 } = options;
  const polls = new Map<string, SharedPoll>();

  function begin(workflowId: string, tell: Tell): SharedPoll | undefined {
    if (polls.size >= maxPolls) return undefined;
    const shared = { waiting: new Set([tell]), round: new AbortController() };
    polls.set(workflowId, shared);
    void follow(workflowId, shared);
    return shared;
  }

  async function follow(workflowId: string, shared: SharedPoll): Promise<void> {
    let outcome = await pollOnce(workflowId, shared);
    while (outcome === 'begin-anew' && shared.waiting.size > 0) outcome = await pollOnce(workflowId, shared);
    forget(workflowId, shared);
    for (const tell of shared.waiting) tell(outcome === 'closed');
  }

  async function pollOnce(workflowId: string, shared: SharedPoll): Promise<'closed' | 'over' | 'begin-anew'> {
    const round = new AbortController();
    const late = { isLate: false };
    shared.round = round;
    const timer = setTimeout(() => {
      late.isLate = true;
      round.abort();
    }, maxPollMs);
    const isClosed = await poll(workflowId, round.signal).catch(() => false);
    clearTimeout(timer);
    if (isClosed) return 'closed';
    return late.isLate ? 'begin-anew' : 'over';
  }

  function forget(workflowId: string, shared: SharedPoll): void {
    if (polls.get(workflowId) === shared) polls.delete(workflowId);
  }

  return {
    /**
     * Joins the poll for the instance, or begins one. Calls `tell` once with what the poll says. Gives the function that
     * leaves the poll, to be called once; undefined where there are too many polls.
     */
    join(workflowId: string, tell: Tell): (() => void) | undefined {
      const joined = polls.get(workflowId);
      joined?.waiting.add(tell);
      const shared = joined ?? begin(workflowId, tell);
      if (shared === undefined) return undefined;
      return () => {
        shared.waiting.delete(tell);
        if (shared.waiting.size > 0) return;
        forget(workflowId, shared);
        shared.round.abort();
      };
    },
  };
}
