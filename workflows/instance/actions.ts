import { ApplicationFailure, TemporalFailure, type UpdateDefinition } from '@temporalio/common';
import { CancellationScope, currentUpdateInfo, setHandler } from '@temporalio/workflow';
import type { ActionAnswer, ActionCall, ActionRefusal, AnsweredActions } from '../../src/definition/envelope.ts';
import type { ProblemCode } from '../../src/problems.ts';

type Answered = AnsweredActions[string];

// Module scope runs once for each instance, so these belong to one.
const answered = new Map<string, Answered>();
const refusals = new WeakMap<TemporalFailure, ProblemCode>();
const maxAnswered = 1_000;

/** The output of an action that has nothing more to say. */
export interface Accepted {
  readonly accepted: true;
}

/** Refuses an action with a problem that its caller sees. */
export function refuseAction(code: ProblemCode): never {
  const failure = ApplicationFailure.nonRetryable(code, code);
  refusals.set(failure, code);
  throw failure;
}

/**
 * Handles an action. Both functions may call {@link refuseAction}; a refusal by `validate` leaves no trace in history.
 * `apply` runs once for each action id, and a cancel of the instance does not stop it. Its output or refusal is kept
 * with the call that it answered. A failure of Temporal's, such as that of an activity, is kept as `action-failed`. Any
 * other error is a defect: the workflow task is repeated until the code is mended.
 */
export function handleAction<Input, Output, Admitted = unknown>(
  definition: UpdateDefinition<ActionAnswer<Output>, [ActionCall<Input, Admitted>]>,
  handler: {
    validate: (call: ActionCall<Input, Admitted>) => void;
    apply: (call: ActionCall<Input, Admitted>) => Output | Promise<Output>;
  },
): void {
  const apply = async (call: ActionCall<Input, Admitted>): Promise<ActionAnswer<Output>> => {
    const { fingerprint, requestId } = call;
    const earlier = earlierAnswer<Output>();
    if (earlier !== undefined) return earlier;
    try {
      return remember({ output: await handler.apply(call), fingerprint });
    } catch (error) {
      if (!(error instanceof TemporalFailure)) throw error;
      const refused = refusals.get(error) ?? 'action-failed';
      throw failureOf(remember({ refused, fingerprint, requestId }), error);
    }
  };
  setHandler(definition, (call) => CancellationScope.nonCancellable(() => apply(call)), {
    validator: (call: ActionCall<Input, Admitted>) => {
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

/** Throws what was refused before. The id names the action, so an answer found by it has the type of that action. */
function earlierAnswer<Output>(): ActionAnswer<Output> | undefined {
  const earlier = answered.get(currentUpdateInfo()?.id ?? '');
  if (earlier !== undefined && 'refused' in earlier) throw failureOf(earlier);
  return earlier as ActionAnswer<Output> | undefined;
}

/** A refusal as its caller gets it. The details tell whose request was refused. */
const failureOf = (refusal: ActionRefusal, cause?: Error): ApplicationFailure =>
  ApplicationFailure.create({
    message: refusal.refused,
    type: refusal.refused,
    nonRetryable: true,
    details: [refusal],
    cause,
  });

function remember<Kept extends Answered>(answer: Kept): Kept {
  const id = currentUpdateInfo()?.id;
  if (id === undefined) return answer;
  answered.set(id, answer);
  const [oldest] = answered.keys();
  if (answered.size > maxAnswered && oldest !== undefined) answered.delete(oldest);
  return answer;
}
