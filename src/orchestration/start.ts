import { hostname } from 'node:os';
import type { Connection } from '@temporalio/client';
import proto from '@temporalio/proto';
import { Problem } from '../problems.ts';
import { encode } from './codec.ts';
import { alreadyStartedRequestId, mutationProblemOf } from './failures.ts';
import { fingerprintInRequestId, type InstanceRef, requestIdOf, workflowIdOf } from './identity.ts';
import { type CallLimits, describeInstance, type InstanceSnapshot, within } from './instances.ts';
import { startAttributes } from './search-attributes.ts';

/** A new instance in Temporal's terms, ready to be sent. */
export interface StartRequest extends InstanceRef {
  readonly workflow: string;
  readonly taskQueue: string;
  readonly envelope: unknown;
  readonly fingerprint: string;
  readonly firstStep: string;
  readonly labels: string[];
  readonly startedBy: { readonly iss: string; readonly sub: string };
}

/** How a start ended. Whether the caller's own request created the instance is in `kind`, and nowhere else. */
export type StartOutcome =
  | { readonly kind: 'created'; readonly snapshot: InstanceSnapshot }
  | { readonly kind: 'joined'; readonly snapshot: InstanceSnapshot }
  | { readonly kind: 'replayed'; readonly snapshot: InstanceSnapshot }
  | { readonly kind: 'mismatch' }
  /** No answer: the instance may exist. Repeating with the same key tells. */
  | { readonly kind: 'unknown'; readonly cause: unknown };

type RawStart = proto.temporal.api.workflowservice.v1.IStartWorkflowExecutionRequest;

/**
 * A second way to start, over the co-hosted worker's connection: the first step runs at once in this process. That
 * connection retries unseen, so of its failures only ALREADY_EXISTS is definite.
 */
export interface EagerStarts {
  /** True while the connection is known to be healthy, the queue has a worker here, and few calls are in flight. */
  isOpen(taskQueue: string): boolean;
  start(request: RawStart, limits: CallLimits): Promise<{ runId?: string | null }>;
}

interface StartDependencies {
  readonly connection: Connection;
  readonly namespace: string;
  readonly eagerStarts?: EagerStarts | undefined;
}

const { WorkflowIdConflictPolicy, WorkflowIdReusePolicy } = proto.temporal.api.enums.v1;

// Shown by Temporal's own tools as the creator of a run.
const identity = `portico@${hostname()}`;

/**
 * Starts an instance at most once for its id, for ever: one call for a fresh start and for a mismatch, two for a
 * duplicate. A refused start brings back the request id of the creator, which carries the creator's fingerprint;
 * where the run has another (continue-as-new, reset), the memo decides.
 */
export async function startInstance(
  dependencies: StartDependencies,
  request: StartRequest,
  limits: CallLimits,
): Promise<StartOutcome> {
  const startedAt = new Date().toISOString();
  try {
    const { runId } = await send(dependencies, await toRawStart(dependencies.namespace, request, startedAt), limits);
    return {
      kind: 'created',
      snapshot: { id: request.key, runId: runId ?? '', status: 'running', step: request.firstStep, startedAt },
    };
  } catch (error) {
    const creator = alreadyStartedRequestId(error);
    if (creator !== undefined) return compareWithExisting(dependencies, request, creator, limits);
    const problem = mutationProblemOf(error);
    if (problem.code === 'outcome-unknown') return { kind: 'unknown', cause: error };
    throw problem;
  }
}

function send({ connection, eagerStarts }: StartDependencies, raw: RawStart, limits: CallLimits) {
  if (eagerStarts?.isOpen(raw.taskQueue?.name ?? '')) {
    return eagerStarts.start({ ...raw, requestEagerExecution: true }, limits);
  }
  return within(connection, limits, () => connection.workflowService.startWorkflowExecution(raw));
}

async function toRawStart(namespace: string, request: StartRequest, startedAt: string): Promise<RawStart> {
  const [input, fingerprint, startTime, startedBy] = await Promise.all(
    [request.envelope, request.fingerprint, startedAt, request.startedBy].map(encode),
  );
  return {
    namespace,
    identity,
    workflowId: workflowIdOf(request),
    workflowType: { name: request.workflow },
    taskQueue: { name: request.taskQueue },
    input: { payloads: input ? [input] : [] },
    memo: { fields: compact({ fingerprint, startedAt: startTime, startedBy }) },
    searchAttributes: { indexedFields: startAttributes({ ...request, step: request.firstStep }) },
    requestId: requestIdOf(request.fingerprint),
    workflowIdReusePolicy: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
  };
}

const compact = <T>(fields: Record<string, T | undefined>): Record<string, T> =>
  Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, T] => entry[1] !== undefined));

async function compareWithExisting(
  dependencies: StartDependencies,
  request: StartRequest,
  creatorRequestId: string,
  limits: CallLimits,
): Promise<StartOutcome> {
  const known = fingerprintInRequestId(creatorRequestId);
  if (known !== undefined && known !== request.fingerprint) return { kind: 'mismatch' };
  let existing;
  try {
    existing = await describeInstance(dependencies, request, limits);
  } catch (cause) {
    // It exists, perhaps by an earlier request of the same caller: `none` would read as if nothing had been started.
    return { kind: 'unknown', cause };
  }
  // It was there a moment ago: its retention ended between the two calls. A repetition starts afresh.
  if (existing === undefined) throw new Problem('orchestration-unavailable');
  if (known === undefined && existing.fingerprint !== request.fingerprint) return { kind: 'mismatch' };
  return { kind: existing.snapshot.status === 'running' ? 'joined' : 'replayed', snapshot: existing.snapshot };
}
