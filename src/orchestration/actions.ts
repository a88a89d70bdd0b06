import {
  type WorkflowHandle,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import type { ActionAnswer, ActionCall, Actor } from '../definition/envelope.ts';
import { Problem, type ProblemCode, problems } from '../problems.ts';
import { type InstanceAddress, refOf } from './address.ts';
import { type CallDependencies, type CallLimits, within } from './calls.ts';
import { grpcCode, grpcErrorOf, isWithoutEffect, mutationProblemOf } from './failures.ts';
import { actionFingerprintOf, updateIdOf, workflowIdOf } from './identity.ts';
import { describeInstance } from './instances.ts';

interface ActionRequest extends InstanceAddress {
  readonly action: string;
  /** The validated body before defaults: what the fingerprint is made of. */
  readonly body: unknown;
  /** The same body with defaults: what the instance gets. */
  readonly input: unknown;
  readonly actor: Actor;
  readonly idempotencyKey?: string | undefined;
}

/** The gateway's part that asks running instances to do something. */
export const createActions = (dependencies: CallDependencies) => ({
  /**
   * Applies an action at most once for its key, or for its body and actor where it has no key, and gives its output. A
   * repetition gets the first answer, also after the instance has closed. Throws the problem the instance refused with,
   * `too-late` where it has closed, `not-found`, `idempotency-mismatch` where the key was used for another call, and
   * `outcome-unknown` where no answer came in time.
   */
  async act(request: ActionRequest, signal?: AbortSignal): Promise<unknown> {
    const { action, actor, body, input, idempotencyKey } = request;
    const fingerprint = actionFingerprintOf({ actor, body });
    const update = { action, updateId: updateIdOf(action, idempotencyKey, fingerprint), input, actor, fingerprint };
    const limits = { deadlineMs: dependencies.deadlines.actionMs, signal };
    const answer = await applyUpdate(dependencies, request, update, limits);
    if (answer.fingerprint !== fingerprint) throw new Problem('idempotency-mismatch');
    return answer.output;
  },
});

interface Update extends ActionCall<unknown> {
  readonly action: string;
  readonly updateId: string;
}

async function applyUpdate(
  dependencies: CallDependencies,
  address: InstanceAddress,
  { action, updateId, ...call }: Update,
  limits: CallLimits,
): Promise<ActionAnswer<unknown>> {
  const { client, connection } = dependencies;
  const handle = client.workflow.getHandle(workflowIdOf(refOf(address)));
  try {
    return await within(connection, limits, () =>
      handle.executeUpdate<ActionAnswer<unknown>, [ActionCall<unknown>]>(action, { updateId, args: [call] }),
    );
  } catch (error) {
    // A closed instance gives this error too.
    if (error instanceof WorkflowNotFoundError)
      return earlierAnswer(dependencies, { address, handle, updateId }, limits);
    throw actionProblemOf(error);
  }
}

/** The answer that the same action got before the instance closed. */
async function earlierAnswer(
  dependencies: CallDependencies,
  asked: { readonly address: InstanceAddress; readonly handle: WorkflowHandle; readonly updateId: string },
  limits: CallLimits,
): Promise<ActionAnswer<unknown>> {
  const described = await describeInstance(dependencies, refOf(asked.address), limits).catch((cause: unknown) => {
    // An earlier attempt of this call may have been applied, and have closed the instance.
    throw new Problem('outcome-unknown', { cause });
  });
  if (described === undefined) throw new Problem('not-found');
  try {
    const update = asked.handle.getUpdateHandle<ActionAnswer<unknown>>(asked.updateId);
    return await within(dependencies.connection, limits, () => update.result());
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw actionProblemOf(error);
    const code = described.snapshot.status === 'closed' ? 'too-late' : 'orchestration-unavailable';
    throw new Problem(code, { cause: error });
  }
}

const isProblemCode = (type: string | null | undefined): type is ProblemCode =>
  typeof type === 'string' && Object.hasOwn(problems, type);

function actionProblemOf(error: unknown): Problem {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
    return new Problem('outcome-unknown', { cause: error });
  if (error instanceof WorkflowUpdateFailedError) {
    const type = error.cause instanceof ApplicationFailure ? error.cause.type : undefined;
    if (isProblemCode(type)) return new Problem(type, { cause: error });
    // The action had begun when the instance closed. A repetition gets the same answer.
    if (type === 'AcceptedUpdateCompletedWorkflow') return new Problem('too-late', { effect: 'unknown', cause: error });
    // A worker with older code does not know the action. The refusal leaves no trace, and another worker may take a
    // repetition.
    return new Problem('orchestration-unavailable', { cause: error });
  }
  const problem = mutationProblemOf(error);
  const cap = isWithoutEffect(error) ? capOf(error) : undefined;
  return cap === undefined ? problem : new Problem(cap, { cause: error });
}

/**
 * The caps of a run: ten actions at once, two thousand in all. A full run and a run whose workflow task fails both answer
 * FAILED_PRECONDITION, and only the text differs. Unknown text stays retryable.
 */
function capOf(error: unknown): ProblemCode | undefined {
  const { code, details } = grpcErrorOf(error) ?? {};
  if (code === grpcCode.RESOURCE_EXHAUSTED) return 'rate-limited';
  const isFull =
    code === grpcCode.FAILED_PRECONDITION && details?.includes('limit on the total number of distinct updates');
  return isFull ? 'action-not-allowed' : undefined;
}
