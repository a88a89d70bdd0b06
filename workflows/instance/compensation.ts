import { ActivityFailure } from '@temporalio/common';
import { CancellationScope, condition } from '@temporalio/workflow';

/** One way back. Both calls run the same idempotent activity and differ in what they retry. */
export interface Undo<Undone> {
  /** Retries what passes by itself; fails once the undo is blocked by something that only a person or time can change. */
  readonly attempt: () => Promise<Undone>;
  /** Retries for ever, whatever the reason. */
  readonly insist: () => Promise<Undone>;
}

/** Another end that an operator chose, and what came of it. */
interface Replacement<Undone> {
  readonly end: () => Promise<Undone | undefined>;
  isTried: boolean;
  undone?: Undone | undefined;
}

export type Compensation<Undone> = ReturnType<typeof createCompensation<Undone>>;

/**
 * A compensation that no cancel can stop. While its undo is blocked it goes on trying, and an operator may steer it.
 * Waiting adds nothing to history: the server does the retries.
 */
export function createCompensation<Undone>({ onStuck }: { onStuck: () => void }) {
  let wait: CancellationScope | undefined;
  let replacement: Replacement<Undone> | undefined;

  /** Undefined where an operator ended the wait. */
  async function waitFor(undo: Undo<Undone>): Promise<Undone | undefined> {
    const scope = new CancellationScope();
    wait = scope;
    try {
      return await scope.run(undo.insist);
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error;
      // Should the wait ever end by itself, only an operator begins the next one: history must not grow in a loop.
      await condition(() => scope.consideredCancelled);
      return undefined;
    }
  }

  async function persist(undo: Undo<Undone>): Promise<Undone> {
    for (;;) {
      const undone = (await waitFor(undo)) ?? (await replacement?.end());
      if (replacement !== undefined) Object.assign(replacement, { isTried: true, undone });
      replacement = undefined;
      if (undone !== undefined) return undone;
    }
  }

  return {
    /** True while the undo is blocked and nobody is replacing it. */
    isStuck: () => wait !== undefined && replacement === undefined,

    /** Tries the blocked undo again at once. */
    retryNow: () => wait?.cancel(),

    /**
     * Gives the blocked undo up in favour of another `end`, once its last attempt is over. Answers how it ended, which
     * is not `end` where that attempt succeeded after all; undefined where `end` answered so: then the undo goes on.
     */
    replaceBy: async (end: () => Promise<Undone | undefined>): Promise<Undone | undefined> => {
      const chosen: Replacement<Undone> = { end, isTried: false };
      replacement = chosen;
      wait?.cancel();
      await condition(() => chosen.isTried);
      return chosen.undone;
    },

    /** Runs the undo to its end, however long that takes. */
    run: (undo: Undo<Undone>): Promise<Undone> =>
      CancellationScope.nonCancellable(async () => {
        try {
          return await undo.attempt();
        } catch (error) {
          if (!(error instanceof ActivityFailure)) throw error;
        }
        onStuck();
        try {
          return await persist(undo);
        } finally {
          wait = undefined;
        }
      }),
  };
}
