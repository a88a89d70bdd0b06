import { ActivityFailure, TemporalFailure } from '@temporalio/common';
import { CancellationScope, condition } from '@temporalio/workflow';

/** Undoes a step. Both functions run the same idempotent activity and differ in what they retry. */
export interface Undo<Undone> {
  /** Retries failures that pass by themselves; fails where only a person or time can unblock the undo. */
  readonly attempt: () => Promise<Undone>;
  /** Retries every failure for ever. */
  readonly insist: () => Promise<Undone>;
}

/** The end that an operator chose in place of the undo, and what came of it. */
interface Replacement<Undone> {
  readonly end: () => Promise<Undone | undefined>;
  readonly scope: CancellationScope;
  tried?: { readonly undone: Undone | undefined } | { readonly failure: TemporalFailure };
}

export type Compensation<Undone> = ReturnType<typeof createCompensation<Undone>>;

/**
 * Creates a compensation that no cancel can stop. A blocked undo is retried until it succeeds or an operator replaces
 * it. Retries add nothing to history: the server does them.
 */
export function createCompensation<Undone>({ onStuck }: { onStuck: () => void }) {
  let wait: CancellationScope | undefined;
  let replacement: Replacement<Undone> | undefined;

  /** Answers undefined where an operator ended the wait. */
  async function waitFor(undo: Undo<Undone>): Promise<Undone | undefined> {
    const scope = new CancellationScope();
    wait = scope;
    try {
      return await scope.run(undo.insist);
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // A wait that failed by itself is repeated only on an operator's word, so that history never grows in a loop.
      await condition(() => scope.consideredCancelled);
      return undefined;
    }
  }

  async function persist(undo: Undo<Undone>): Promise<Undone> {
    for (;;) {
      const undone = await waitFor(undo);
      const tried = replacement === undefined || undone !== undefined ? { undone } : await tryEnd(replacement);
      if (replacement !== undefined) replacement.tried = tried;
      replacement = undefined;
      if ('undone' in tried && tried.undone !== undefined) return tried.undone;
    }
  }

  return {
    /** True while the undo is blocked and no replacement is under way. */
    isStuck: () => wait !== undefined && replacement === undefined,

    /** True while the undo is blocked, also where a replacement is under way. */
    isBlocked: () => wait !== undefined,

    /** Tries the blocked undo again at once. A replacement that is under way is given up, unless it succeeds first. */
    retryNow: () => {
      replacement?.scope.cancel();
      wait?.cancel();
    },

    /**
     * Replaces the blocked undo by `end`, once the last attempt of the undo is over. Answers the attempt's result if it
     * succeeded after all, else that of `end`. Where `end` answers undefined, so does this, and the undo goes on. Where
     * `end` fails or is given up, this rejects with the failure, and the undo goes on.
     */
    replaceBy: async (end: () => Promise<Undone | undefined>): Promise<Undone | undefined> => {
      const chosen: Replacement<Undone> = { end, scope: new CancellationScope() };
      replacement = chosen;
      wait?.cancel();
      await condition(() => chosen.tried !== undefined);
      if (chosen.tried !== undefined && 'failure' in chosen.tried) throw chosen.tried.failure;
      return chosen.tried?.undone;
    },

    /** Runs the undo until it succeeds or is replaced, without a time limit. `onStuck` tells that it is blocked. */
    run: (undo: Undo<Undone>): Promise<Undone> =>
      CancellationScope.nonCancellable(async () => {
        const first = await attempt(undo);
        if (first !== undefined) return first.undone;
        onStuck();
        try {
          return await persist(undo);
        } finally {
          wait = undefined;
        }
      }),
  };
}

/** Undefined where the undo is blocked. */
async function attempt<Undone>(undo: Undo<Undone>): Promise<{ readonly undone: Undone } | undefined> {
  try {
    return { undone: await undo.attempt() };
  } catch (error) {
    if (error instanceof ActivityFailure) return undefined;
    throw error;
  }
}

/** Runs what replaces the undo. A defect of the workflow's own code is thrown on. */
async function tryEnd<Undone>({ scope, end }: Replacement<Undone>): Promise<NonNullable<Replacement<Undone>['tried']>> {
  try {
    return { undone: await scope.run(end) };
  } catch (failure) {
    if (failure instanceof TemporalFailure) return { failure };
    throw failure;
  }
}
