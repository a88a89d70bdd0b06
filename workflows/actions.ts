import { setHandler } from '@temporalio/workflow';
import { ApplicationFailure, type UpdateDefinition } from '@temporalio/common';
import type { ActionAnswer, ActionCall } from '../src/catalog/envelope.ts';
import type { ProblemCode } from '../src/problems.ts';

/** Says no to an action with one of the problems that a caller may see. */
export function refuseAction(code: ProblemCode): never {
  throw ApplicationFailure.nonRetryable(code, code);
}

/**
 * Handles an action. `validate` may throw {@link refuseAction}: a refusal leaves no trace in history.
 * `apply` runs once for each action id; its answer is kept with the fingerprint of the call that was applied.
 */
export function handleAction<Input, Output>(
  definition: UpdateDefinition<ActionAnswer<Output>, [ActionCall<Input>]>,
  handler: {
    validate: (call: ActionCall<Input>) => void;
    apply: (call: ActionCall<Input>) => Output | Promise<Output>;
  },
): void {
  setHandler(definition, async (call) => ({ output: await handler.apply(call), fingerprint: call.fingerprint }), {
    validator: handler.validate,
  });
}
