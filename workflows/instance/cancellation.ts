import type { UpdateDefinition } from '@temporalio/common';
import { type CancellationScope, condition } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall } from '../../src/definition/envelope.ts';
import { type Accepted, handleAction, refuseAction } from './actions.ts';

type Verdict = 'accepted' | 'too-late';

/**
 * Handles the cancel of a process that can be too late for it: stops `road` at once and answers when it is known what
 * that was good for. The workflow gives the verdict; a caller learns nothing before.
 */
export function handleCancels<Input>(
  cancel: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Input>]>,
  road: CancellationScope,
) {
  let verdict: Verdict | undefined;
  let isClosed = false;
  let cancelledBy: string | undefined;
  handleAction(cancel, {
    validate: () => {
      if (isClosed) refuseAction('too-late');
    },
    apply: async ({ actor }): Promise<Accepted> => {
      if (!road.consideredCancelled) cancelledBy = actor.sub;
      road.cancel();
      await condition(() => verdict !== undefined);
      return verdict === 'accepted' ? { accepted: true } : refuseAction('too-late');
    },
  });
  return {
    /** Answers those who wait and those still to come. The first verdict stands. */
    give: (given: Verdict): void => {
      verdict ??= given;
    },
    /** Whoever comes from now on is too late. Those who wait go on waiting for the verdict. */
    close: (): void => {
      isClosed = true;
    },
    /** The subject who stopped the road; undefined where nobody did, or Temporal's own cancel. */
    cancelledBy: () => cancelledBy,
  };
}
