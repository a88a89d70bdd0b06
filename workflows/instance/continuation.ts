import { continueAsNew } from '@temporalio/workflow';
import type { Envelope } from '../../src/definition/envelope.ts';
import { answeredActions, recallActions } from './actions.ts';

/**
 * Lets an instance continue in a new run under the same id. Call it before the first `handleAction`: it recalls the
 * actions that earlier runs answered. The function it returns ends this run and starts the next one with the same
 * envelope, all answered actions, and `remembered` as the second argument of the workflow.
 * Memo and search attributes are kept because none is passed: a passed memo would replace the start's fingerprint.
 */
export function prepareContinuation<Input>(envelope: Envelope<Input>): (remembered: unknown) => Promise<never> {
  recallActions(envelope.answered);
  return (remembered) =>
    continueAsNew<(envelope: Envelope<Input>, remembered: unknown) => Promise<unknown>>(
      { ...envelope, answered: answeredActions() },
      remembered,
    );
}
