/** One run of an instance. */
export interface Run {
  readonly workflowId: string;
  readonly runId: string;
}

/** Resolves to the end of the run once it has closed, to undefined when `signal` aborts or the poll gave up. */
export type Poll<End> = (run: Run, signal: AbortSignal) => Promise<End | undefined>;

type Tell<End> = (end: End | undefined) => void;

interface SharedPoll<End> {
  readonly run: Run;
  /** Told once each. A promise for all would keep what hangs on it for as long as one of them waits. */
  readonly waiting: Set<Tell<End>>;
  round: AbortController;
}

/**
 * One poll for each run, however many wait for it, and at most `maxPolls` of them. A poll is begun anew after `maxPollMs`,
 * so that nothing it holds grows for as long as callers come and go.
 */
export function createSharedPolls<End>(options: { poll: Poll<End>; maxPolls: number; maxPollMs?: number | undefined }) {
  const { poll, maxPolls, maxPollMs = 60_000 } = options;
  const polls = new Map<string, SharedPoll<End>>();

  function begin(run: Run, tell: Tell<End>): SharedPoll<End> | undefined {
    if (polls.size >= maxPolls) return undefined;
    const shared = { run, waiting: new Set([tell]), round: new AbortController() };
    polls.set(keyOf(run), shared);
    void follow(shared);
    return shared;
  }

  async function follow(shared: SharedPoll<End>): Promise<void> {
    let outcome = await pollOnce(shared);
    while (outcome === 'begin-anew' && shared.waiting.size > 0) outcome = await pollOnce(shared);
    forget(shared);
    const end = typeof outcome === 'string' ? undefined : outcome.end;
    for (const tell of shared.waiting) tell(end);
  }

  async function pollOnce(shared: SharedPoll<End>): Promise<{ readonly end: End } | 'over' | 'begin-anew'> {
    const round = new AbortController();
    const late = { isLate: false };
    shared.round = round;
    const timer = setTimeout(() => {
      late.isLate = true;
      round.abort();
    }, maxPollMs);
    const end = await poll(shared.run, round.signal).catch(() => undefined);
    clearTimeout(timer);
    if (end !== undefined) return { end };
    return late.isLate ? 'begin-anew' : 'over';
  }

  function forget(shared: SharedPoll<End>): void {
    if (polls.get(keyOf(shared.run)) === shared) polls.delete(keyOf(shared.run));
  }

  return {
    /**
     * Joins the poll for the run, or begins one. Calls `tell` once with what the poll says. Gives the function that leaves
     * the poll, to be called once; undefined where there are too many polls.
     */
    join(run: Run, tell: Tell<End>): (() => void) | undefined {
      const joined = polls.get(keyOf(run));
      joined?.waiting.add(tell);
      const shared = joined ?? begin(run, tell);
      if (shared === undefined) return undefined;
      return () => {
        shared.waiting.delete(tell);
        if (shared.waiting.size > 0) return;
        forget(shared);
        shared.round.abort();
      };
    },
  };
}

// Neither kind of id contains a space.
const keyOf = ({ workflowId, runId }: Run): string => `${workflowId} ${runId}`;
