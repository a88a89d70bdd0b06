import { continueAsNew } from '@temporalio/workflow';
import type { Envelope } from '../src/catalog/envelope.ts';

/**
 * Goes on in a new run under the same id, with the same envelope and what the instance wants to remember.
 * Memo and search attributes go along because none is passed: a passed memo would replace the one that holds the
 * fingerprint of the start.
 */
export const continueInstance = <Input, Remembered>(
  envelope: Envelope<Input>,
  remembered: Remembered,
): Promise<never> =>
  continueAsNew<(envelope: Envelope<Input>, remembered: Remembered) => Promise<unknown>>(envelope, remembered);
