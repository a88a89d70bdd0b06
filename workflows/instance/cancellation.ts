import type { UpdateDefinition } from '@temporalio/common';
import { type CancellationScope, condition } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall } from '../../src/definition/envelope.ts';
import { type Accepted, handleAction, refuseAction } from './actions.ts';

/** `accepted` promises that the cancel holds: it is given only where nothing can undo that any more. */
type Verdict = 'accepted' | 'too-late';

/** Why further cancels are refused: `action-not-allowed` while the outcome is open, `too-late` once it stands. */
type Refusal = 'action-not-allowed' | 'too-late';

// Temporal lets ten actions of a run be under way at once. Cancels may wait for hours and must leave room for operators.
const maxWaiting = 4;

/**
 * Handles the cancel of a process that can be too late for it. A cancel stops `forward` at once; its caller waits until
 * the workflow answers whether the cancel was in time. What is refused leaves no trace in history, so that no number of
 * cancels takes the run's two thousand actions from others.
 */
export function handleCancels<Input>(
  cancel: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Input>]>,
  forward: CancellationScope,
) {
  let verdict: Verdict | undefined;
  let refusal: Refusal | undefined;
  let cancelledBy: string | undefined;
  let waiting = 0;
  handleAction(cancel, {
    validate: () => {
      if (refusal !== undefined) refuseAction(refusal);
      if (waiting >= maxWaiting) refuseAction('action-not-allowed');
    },
    apply: async ({ actor }): Promise<Accepted> => {
      if (!forward.consideredCancelled) cancelledBy = actor.sub;
      forward.cancel();
      waiting += 1;
      await condition(() => verdict !== undefined);
      return verdict === 'accepted' ? { accepted: true } : refuseAction('too-late');
    },
  });
  return {
    /** Answers the callers who wait and those still to come. The first verdict stands. */
    answer: (given: Verdict): void => {
      verdict ??= given;
    },
    /** Refuses further cancels, because they can change nothing. Callers who wait go on waiting for the verdict. */
    refuse: (code: Refusal): void => {
      refusal = code;
    },
    /** The subject whose cancel came first; undefined for Temporal's own cancel, and without any. */
    cancelledBy: () => cancelledBy,
  };
}
