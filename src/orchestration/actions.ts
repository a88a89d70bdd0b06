import { randomUUID } from 'node:crypto';
import {
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { z } from 'zod';
import type { ActionAnswer, ActionCall, Actor } from '../definition/envelope.ts';
import { problems } from '../problem-table.ts';
import { Problem, type ProblemCode } from '../problems.ts';
import { type InstanceAddress, refOf } from './address.ts';
import { type CallDependencies, clientWithin } from './calls.ts';
import { encode } from './codec.ts';
import { beforeSending, grpcCode, grpcErrorOf, isInFlightCap, isWithoutEffect, mutationProblemOf } from './failures.ts';
import { actionFingerprintOf, updateIdAfter, updateIdOf, workflowIdOf } from './identity.ts';
import { describeInstance } from './instances.ts';
import type { CallLimits } from './services.ts';

interface ActionRequest extends InstanceAddress {
  readonly action: string;
  /** The validated body before defaults: what the fingerprint is made of. */
  readonly body: unknown;
  /** The same body with defaults: what the instance gets. */
  readonly input: unknown;
  /** What the definition's `admit` gave. */
  readonly admitted?: unknown;
  readonly actor: Actor;
  readonly idempotencyKey?: string | undefined;
}

// One request that an instance refused this often in one run gets the last refusal again.
const maxRefusals = 100;

/** The gateway's part that asks running instances to do something. */
export const createActions = (dependencies: CallDependencies) => ({
  /**
   * Applies an action at most once for its key, or for its body and actor where it has no key, and gives its output. A
   * repetition gets the first answer, also after the instance has closed. A refusal without a key is not final: the same
   * request may be applied later.
   *
   * Throws the problem with which the instance refused, or one of these:
   * - `not-found`, and `too-late` where the instance has closed;
   * - `idempotency-mismatch`: the key was used for another call;
   * - `action-failed`: the action failed after it had begun;
   * - `outcome-unknown`: no answer came in time.
   */
  async act(request: ActionRequest, signal?: AbortSignal): Promise<unknown> {
    const { action, actor, body, input, admitted, idempotencyKey } = request;
    const fingerprint = actionFingerprintOf({ actor, body });
    const own = { input, actor, fingerprint, requestId: randomUUID() };
    const call = admitted === undefined ? own : { ...own, admitted };
    const workflowId = await beforeSending(async () => {
      await encode(call);
      return workflowIdOf(refOf(request));
    });
    const endsAtMs = performance.now() + dependencies.deadlines.actionMs;
    let updateId = updateIdOf(action, idempotencyKey, fingerprint);
    for (let turn = 1; ; turn += 1) {
      const limits = { deadlineMs: Math.max(1, endsAtMs - performance.now()), signal };
      const told = await applyUpdate(dependencies, { address: request, workflowId, action, updateId, call }, limits);
      if (told.fingerprint !== undefined && told.fingerprint !== fingerprint) throw new Problem('idempotency-mismatch');
      if (!('refused' in told)) return told.output;
      const isFinal = idempotencyKey !== undefined || told.refused === 'action-failed' || turn >= maxRefusals;
      if (isFinal || told.requestId === undefined || told.requestId === call.requestId)
        throw new Problem(told.refused, { cause: told.cause });
      // An earlier request was refused: the server repeats that for its id, though the instance may now accept.
      updateId = updateIdAfter(action, updateId, told.requestId);
    }
  },

  /**
   * What the same action with the same key was answered before, without asking the instance: undefined where its present
   * run has not answered it. Throws the problem that it was refused with, or as `act` does.
   */
  async findAnswer(request: KeyedAction, signal?: AbortSignal): Promise<{ readonly output: unknown } | undefined> {
    const { action, actor, body, idempotencyKey } = request;
    const fingerprint = actionFingerprintOf({ actor, body });
    const updateId = updateIdOf(action, idempotencyKey, fingerprint);
    const limits = { deadlineMs: dependencies.deadlines.readMs, signal };
    const told = await answerOf(dependencies, { workflowId: workflowIdOf(refOf(request)), updateId }, limits);
    if (told === undefined) return undefined;
    if (told.fingerprint !== undefined && told.fingerprint !== fingerprint) throw new Problem('idempotency-mismatch');
    if ('refused' in told) throw new Problem(told.refused, { cause: told.cause });
    return { output: told.output };
  },
});

interface KeyedAction extends InstanceAddress, Pick<ActionRequest, 'action' | 'body' | 'actor'> {
  readonly idempotencyKey: string;
}

/** A refusal by the instance; without fingerprint and request where it left no trace. */
interface Refusal {
  readonly refused: ProblemCode;
  readonly fingerprint?: string | undefined;
  readonly requestId?: string | undefined;
  readonly cause: unknown;
}

interface Update {
  readonly address: InstanceAddress;
  readonly workflowId: string;
  readonly action: string;
  readonly updateId: string;
  readonly call: ActionCall<unknown>;
}

async function applyUpdate(
  dependencies: CallDependencies,
  update: Update,
  limits: CallLimits,
): Promise<ActionAnswer<unknown> | Refusal> {
  const { workflowId, action, updateId, call } = update;
  try {
    const handle = clientWithin(dependencies, limits).getHandle(workflowId);
    return await handle.executeUpdate<ActionAnswer<unknown>, [ActionCall<unknown>]>(action, {
      updateId,
      args: [call],
    });
  } catch (error) {
    // A closed instance gives this error too.
    if (error instanceof WorkflowNotFoundError) return earlierAnswer(dependencies, update, limits);
    return refusalOf(error);
  }
}

/** The answer that the same action got before the instance closed. */
async function earlierAnswer(
  dependencies: CallDependencies,
  update: Update,
  limits: CallLimits,
): Promise<ActionAnswer<unknown> | Refusal> {
  const described = await describeInstance(dependencies, refOf(update.address), limits).catch((cause: unknown) => {
    // An earlier attempt of this call may have been applied, and have closed the instance.
    throw new Problem('outcome-unknown', { cause });
  });
  if (described === undefined) throw new Problem('not-found');
  const told = await answerOf(dependencies, update, limits);
  if (told !== undefined) return told;
  throw new Problem(described.snapshot.status === 'closed' ? 'too-late' : 'orchestration-unavailable');
}

/** What the present or last run answered to an update; undefined where it knows none of that id. */
async function answerOf(
  dependencies: CallDependencies,
  { workflowId, updateId }: Pick<Update, 'workflowId' | 'updateId'>,
  limits: CallLimits,
): Promise<ActionAnswer<unknown> | Refusal | undefined> {
  try {
    const handle = clientWithin(dependencies, limits).getHandle(workflowId);
    return await handle.getUpdateHandle<ActionAnswer<unknown>>(updateId).result();
  } catch (error) {
    // This error is for no log: its text repeats the update's id, and so the caller's key.
    if (error instanceof WorkflowNotFoundError) return undefined;
    return refusalOf(error);
  }
}

const isProblemCode = (type: string | null | undefined): type is ProblemCode =>
  typeof type === 'string' && Object.hasOwn(problems, type);

const refusedCall = z.object({ fingerprint: z.string(), requestId: z.string().optional() });

/** The refusal by the instance. Throws where the call failed otherwise. */
function refusalOf(error: unknown): Refusal {
  const failure = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (!(failure instanceof ApplicationFailure) || !isProblemCode(failure.type)) throw actionProblemOf(error);
  const { data } = refusedCall.safeParse(failure.details?.[0]);
  return { ...data, refused: failure.type, cause: error };
}

// The SDK's words for an action that the workflow code does not know. It gives no type with them.
const wordsForUnknown = /^No registered handler for update/;

function actionProblemOf(error: unknown): Problem {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
    return new Problem('outcome-unknown', { cause: error });
  if (error instanceof WorkflowUpdateFailedError) {
    const failure = error.cause instanceof ApplicationFailure ? error.cause : undefined;
    // The action had begun when the instance closed. A repetition gets the same answer.
    if (failure?.type === 'AcceptedUpdateCompletedWorkflow')
      return new Problem('too-late', { effect: 'unknown', cause: error });
    // No worker took the action, or one with older code, which does not know it. That leaves no trace, and another
    // worker may take a repetition.
    if (failure?.type === 'UnprocessedUpdate' || wordsForUnknown.test(failure?.message ?? ''))
      return new Problem('orchestration-unavailable', { cause: error });
    return new Problem('action-failed', { cause: error });
  }
  const cap = isWithoutEffect(error) ? capOf(error) : undefined;
  return cap === undefined ? mutationProblemOf(error) : new Problem(cap, { cause: error });
}

/**
 * The caps of a run: ten actions at once, two thousand in all. A full run and a run whose workflow task fails both answer
 * FAILED_PRECONDITION, and only the text differs. Unknown text stays retryable.
 */
function capOf(error: unknown): ProblemCode | undefined {
  const { code, details } = grpcErrorOf(error) ?? {};
  if (isInFlightCap(error)) return 'rate-limited';
  const isFull =
    code === grpcCode.FAILED_PRECONDITION && details?.includes('limit on the total number of distinct updates');
  return isFull ? 'action-not-allowed' : undefined;
}
