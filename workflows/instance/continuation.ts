import { continueAsNew } from '@temporalio/workflow';
import type { Envelope } from '../../src/definition/envelope.ts';
import { answeredActions } from './actions.ts';

/**
 * Goes on in a new run under the same id, with the same envelope, the actions answered so far, and what the workflow
 * itself wants to remember. A workflow that does so begins with `recallActions(envelope.answered)`.
 * Memo and search attributes go along because none is passed: a passed memo would replace the one that holds the
 * fingerprint of the start.
 */
export const continueInstance = <Input>(envelope: Envelope<Input>, remembered: unknown): Promise<never> =>
  continueAsNew<(envelope: Envelope<Input>, remembered: unknown) => Promise<unknown>>(
    { ...envelope, answered: answeredActions() },
    remembered,
  );
