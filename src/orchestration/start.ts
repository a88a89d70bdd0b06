import { firstStepOf } from '../definition/definition.ts';
import { Problem } from '../problems.ts';
import { refOf } from './address.ts';
import type { CallDependencies } from './calls.ts';
import { alreadyStartedRequestId, beforeSending, mutationProblemOf } from './failures.ts';
import { fingerprintInRequestId, fingerprintOf } from './identity.ts';
import { describeInstance, type InstanceSnapshot } from './instances.ts';
import { methods } from './methods.ts';
import type { CallLimits } from './services.ts';
import type { Connection } from './services.ts';
import { type RawStart, type StartCall, toRawStart } from './start-request.ts';

/** How a start ended. Whether the caller's own request created the instance is in `kind`, and nowhere else. */
export type StartOutcome =
  | { readonly kind: 'created'; readonly snapshot: InstanceSnapshot }
  | { readonly kind: 'joined'; readonly snapshot: InstanceSnapshot }
  | { readonly kind: 'replayed'; readonly snapshot: InstanceSnapshot }
  | { readonly kind: 'mismatch' }
  /** No answer: the instance may exist. Repeating with the same key tells. */
  | { readonly kind: 'unknown'; readonly cause: unknown };

/**
 * A second way to start, over the connection of workers in this process, which then run the first step at once. That
 * connection retries unseen: any failure but ALREADY_EXISTS leaves the outcome unknown.
 */
export interface EagerStarts {
  /**
   * True while the connection is healthy, the queue has a worker here, few calls are in flight, and the server hands first
   * tasks out, or may do so again.
   */
  isOpen(taskQueue: string): boolean;
  /** Asks for the first task as well. */
  start(request: RawStart, limits: CallLimits): Promise<{ runId?: string | null }>;
}

interface StartDependencies extends CallDependencies {
  readonly eagerStarts?: EagerStarts | undefined;
}

/** The gateway's part that starts instances. */
export const createStarts = (dependencies: StartDependencies) => ({
  /**
   * Starts an instance at most once for its id, for ever: one call for a fresh start and for a mismatch, two for a
   * duplicate. A refused start brings back the creator's request id, which carries the creator's fingerprint. After a
   * reset or continue-as-new the run has another request id, and the memo decides.
   */
  async start(call: StartCall, signal?: AbortSignal): Promise<StartOutcome> {
    const { namespace, deadlines } = dependencies;
    const { definition, key } = call;
    const limits = { deadlineMs: deadlines.startMs, signal };
    const fingerprint = startFingerprintOf(call);
    const startedAt = call.startedAt ?? new Date().toISOString();
    const raw = await beforeSending(() => toRawStart(call, { namespace, fingerprint, startedAt }));
    const step = firstStepOf(definition);
    try {
      const { runId } = await send(dependencies, raw, limits);
      const snapshot = { id: key, runId: runId ?? '', status: 'running', step, startedAt } as const;
      const details = call.details === undefined ? {} : { details: call.details };
      return { kind: 'created', snapshot: { ...snapshot, ...details, currentRun: snapshot.runId } };
    } catch (error) {
      const creator = alreadyStartedRequestId(error);
      if (creator !== undefined) return compareWithExisting(dependencies, { call, fingerprint, creator }, limits);
      const problem = mutationProblemOf(error);
      if (problem.code === 'outcome-unknown') return { kind: 'unknown', cause: error };
      throw problem;
    }
  },

  /** What an equal start would find, without starting anything: undefined for no instance. Throws a read Problem. */
  async findStarted(call: StartCall, signal?: AbortSignal): Promise<StartOutcome | undefined> {
    return lookUp(dependencies, call, { deadlineMs: dependencies.deadlines.readMs, signal });
  },
});

/** What is there under the key of a start, by one Describe: undefined for no instance. Throws a read Problem. */
export async function lookUp(
  dependencies: Pick<CallDependencies, 'connection' | 'namespace'>,
  call: StartCall,
  limits: CallLimits,
): Promise<StartOutcome | undefined> {
  const existing = await describeInstance(dependencies, refOf(call), limits);
  if (existing === undefined) return undefined;
  return existing.fingerprint === startFingerprintOf(call) ? foundAs(existing.snapshot) : { kind: 'mismatch' };
}

/** What tells an equal start from another one of the same key. */
export const startFingerprintOf = ({ definition, tenant, body, fingerprint }: StartCall): string =>
  fingerprint ?? fingerprintOf({ tenant, process: definition.name, body });

const foundAs = (snapshot: InstanceSnapshot): StartOutcome => ({
  kind: snapshot.status === 'running' ? 'joined' : 'replayed',
  snapshot,
});

function send({ connection, eagerStarts }: StartDependencies, raw: RawStart, limits: CallLimits) {
  if (eagerStarts?.isOpen(raw.taskQueue?.name ?? '')) {
    return eagerStarts.start(raw, limits);
  }
  return connection.call(methods.startWorkflow, raw, limits);
}

async function compareWithExisting(
  dependencies: { readonly connection: Connection; readonly namespace: string },
  refused: { readonly call: StartCall; readonly fingerprint: string; readonly creator: string },
  limits: CallLimits,
): Promise<StartOutcome> {
  const known = fingerprintInRequestId(refused.creator);
  if (known !== undefined && known !== refused.fingerprint) return { kind: 'mismatch' };
  let existing;
  try {
    existing = await describeInstance(dependencies, refOf(refused.call), limits);
  } catch (cause) {
    // An earlier request of this caller may have started the instance: `none` would read as if nothing had been started.
    return { kind: 'unknown', cause };
  }
  // Its retention ended between the two calls. A repetition starts afresh.
  if (existing === undefined) throw new Problem('orchestration-unavailable');
  if (known === undefined && existing.fingerprint !== refused.fingerprint) return { kind: 'mismatch' };
  return foundAs(existing.snapshot);
}
