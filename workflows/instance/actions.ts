import { ApplicationFailure, type UpdateDefinition } from '@temporalio/common';
import { CancellationScope, currentUpdateInfo, setHandler } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall, AnsweredActions } from '../../src/definition/envelope.ts';
import type { ProblemCode } from '../../src/problems.ts';

// Module scope runs once for each instance, so this map belongs to one.
const answered = new Map<string, ActionAnswer<unknown>>();
const maxAnswered = 1_000;

/** The output of an action that has nothing more to say. */
export interface Accepted {
  readonly accepted: true;
}

/** Refuses an action with a problem that its caller sees. */
export function refuseAction(code: ProblemCode): never {
  throw ApplicationFailure.nonRetryable(code, code);
}

/**
 * Handles an action. Both functions may call {@link refuseAction}; a refusal by `validate` leaves no trace in history.
 * `apply` runs once for each action id, and a cancel of the instance does not stop it. Its output is kept with the
 * fingerprint of the call that was applied.
 */
export function handleAction<Input, Output>(
  definition: UpdateDefinition<ActionAnswer<Output>, [ActionCall<Input>]>,
  handler: {
    validate: (call: ActionCall<Input>) => void;
    apply: (call: ActionCall<Input>) => Output | Promise<Output>;
  },
): void {
  const apply = async (call: ActionCall<Input>): Promise<ActionAnswer<Output>> => {
    const earlier = earlierAnswer<Output>();
    if (earlier !== undefined) return earlier;
    const answer = { output: await handler.apply(call), fingerprint: call.fingerprint };
    remember(answer);
    return answer;
  };
  setHandler(definition, (call) => CancellationScope.nonCancellable(() => apply(call)), {
    validator: (call: ActionCall<Input>) => {
      if (earlierAnswer() === undefined) handler.validate(call);
    },
  });
}

/** Takes over what earlier runs answered: Temporal deduplicates action ids within one run only. */
export function recallActions(actions: AnsweredActions | undefined): void {
  for (const [id, answer] of Object.entries(actions ?? {})) answered.set(id, answer);
}

/** The actions answered so far, the latest thousand at most, for the next run. */
export const answeredActions = (): AnsweredActions => Object.fromEntries(answered);

// The id names the action, so an answer found by it has the type of that action.
const earlierAnswer = <Output>() => answered.get(currentUpdateInfo()?.id ?? '') as ActionAnswer<Output> | undefined;

function remember(answer: ActionAnswer<unknown>): void {
  const id = currentUpdateInfo()?.id;
  if (id === undefined) return;
  answered.set(id, answer);
  const [oldest] = answered.keys();
  if (answered.size > maxAnswered && oldest !== undefined) answered.delete(oldest);
}
