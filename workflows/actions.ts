import { CancellationScope, setHandler } from '@temporalio/workflow';
import { ApplicationFailure, type UpdateDefinition } from '@temporalio/common';
import type { ActionAnswer, ActionCall } from '../src/catalog/envelope.ts';
import type { ProblemCode } from '../src/problems.ts';

/** Says no to an action with one of the problems that a caller may see. */
export function refuseAction(code: ProblemCode): never {
  throw ApplicationFailure.nonRetryable(code, code);
}

/**
 * Handles an action. `validate` may throw {@link refuseAction}: a refusal leaves no trace in history.
 * `apply` runs once for each action id, and a cancel of the instance does not cut it short; it may refuse as well, after
 * it has waited. Its answer is kept with the fingerprint of the call that was applied.
 */
export function handleAction<Input, Output>(
  definition: UpdateDefinition<ActionAnswer<Output>, [ActionCall<Input>]>,
  handler: {
    validate: (call: ActionCall<Input>) => void;
    apply: (call: ActionCall<Input>) => Output | Promise<Output>;
  },
): void {
  const apply = async (call: ActionCall<Input>) => ({
    output: await handler.apply(call),
    fingerprint: call.fingerprint,
  });
  setHandler(definition, (call) => CancellationScope.nonCancellable(() => apply(call)), {
    validator: handler.validate,
  });
}
