import type { UpdateDefinition } from '@temporalio/common';
import { type CancellationScope, condition } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall } from '../../src/definition/envelope.ts';
import { type Accepted, handleAction, refuseAction } from './actions.ts';

type Verdict = 'accepted' | 'too-late';

/**
 * Handles the cancel of a process that can be too late for it. A cancel stops `forward` at once; its caller waits until
 * the workflow answers whether the cancel was in time.
 */
export function handleCancels<Input>(
  cancel: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Input>]>,
  forward: CancellationScope,
) {
  let verdict: Verdict | undefined;
  let isClosed = false;
  let cancelledBy: string | undefined;
  handleAction(cancel, {
    validate: () => {
      if (isClosed) refuseAction('too-late');
    },
    apply: async ({ actor }): Promise<Accepted> => {
      if (!forward.consideredCancelled) cancelledBy = actor.sub;
      forward.cancel();
      await condition(() => verdict !== undefined);
      return verdict === 'accepted' ? { accepted: true } : refuseAction('too-late');
    },
  });
  return {
    /** Answers the callers who wait and those still to come. The first verdict stands. */
    answer: (given: Verdict): void => {
      verdict ??= given;
    },
    /** Refuses further cancels as too late. Callers who wait go on waiting for the verdict. */
    close: (): void => {
      isClosed = true;
    },
    /** The subject whose cancel came first; undefined for Temporal's own cancel, and without any. */
    cancelledBy: () => cancelledBy,
  };
}
