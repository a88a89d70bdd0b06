import type { UpdateDefinition } from '@temporalio/common';
import type { ActionAnswer, ActionCall } from '../../src/definition/envelope.ts';
import { type Accepted, handleAction, refuseAction } from './actions.ts';
import type { Compensation } from './compensation.ts';

/** What an operator may ask of a stuck compensation: try the undo again now, or settle by hand. */
type Resolution = { readonly how: 'retry' } | { readonly how: 'settle'; readonly note: string };

/**
 * Handles the action by which an operator resolves a stuck compensation; at any other time it is refused.
 * `settle` answers how it ended, and undefined where nothing can be settled: the undo then goes on.
 */
export function handleResolutions<Undone extends { readonly outcome: string }>(
  resolve: UpdateDefinition<ActionAnswer<Accepted>, [ActionCall<Resolution>]>,
  {
    compensation,
    settle,
  }: {
    compensation: Compensation<Undone>;
    settle: (by: { readonly note: string; readonly settledBy: string }) => Promise<Undone | undefined>;
  },
): void {
  handleAction(resolve, {
    validate: () => {
      if (!compensation.isStuck()) refuseAction('action-not-allowed');
    },
    apply: async ({ input, actor }): Promise<Accepted> => {
      if (input.how === 'retry') {
        compensation.retryNow();
        return { accepted: true };
      }
      const undone = await compensation.replaceBy(() => settle({ note: input.note, settledBy: actor.sub }));
      if (undone === undefined) refuseAction('action-not-allowed');
      return undone.outcome === 'settled' ? { accepted: true } : refuseAction('too-late');
    },
  });
}
