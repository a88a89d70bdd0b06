import {
  allHandlersFinished,
  CancellationScope,
  condition,
  makeContinueAsNewFunc,
  workflowInfo,
} from '@temporalio/workflow';
import type { Envelope } from '../../src/definition/envelope.ts';
import { answeredActions, recallActions } from './actions.ts';

/**
 * Lets an instance continue in a new run under the same id. Call it before the first `handleAction`: it recalls the
 * actions that earlier runs answered. The function it returns waits, also after a cancel, until every action under way
 * has answered; no action may wait for the next run. Then it ends this run and starts the next one with the same
 * envelope, all answered actions, and what `remembered` gives as the second argument of the workflow. It is a function,
 * because actions that are applied during the wait change what is to be remembered.
 * The memo and our search attributes are passed as they are now: the next run would have those of the start otherwise.
 */
export function prepareContinuation<Input>(envelope: Envelope<Input>) {
  recallActions(envelope.answered);
  return async (remembered: () => unknown): Promise<never> => {
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
    const { memo = {}, typedSearchAttributes } = workflowInfo();
    // The server sets attributes of its own, and takes none of them from us.
    const own = typedSearchAttributes.getAll().filter(({ key }) => key.name.startsWith('Portico'));
    const next = makeContinueAsNewFunc<(envelope: Envelope<Input>, remembered: unknown) => Promise<unknown>>({
      memo,
      typedSearchAttributes: own,
    });
    return next({ ...envelope, answered: answeredActions() }, remembered());
  };
}
