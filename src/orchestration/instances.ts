import proto from '@temporalio/proto';
import type { Details } from '../definition/definition.ts';
import { decode } from './codec.ts';
import { isInstanceMissing, readProblemOf } from './failures.ts';
import { type InstanceRef, parseWorkflowId, workflowIdOf } from './identity.ts';
import { methods } from './methods.ts';
import { readAttributes } from './search-attributes.ts';
import type { CallLimits } from './services.ts';
import type { Connection } from './services.ts';

/** One instance as Temporal knows it without asking any code of its own. */
export interface InstanceSnapshot {
  /** The business key. */
  readonly id: string;
  /** The first run of the instance, which a reset does not change. Absent in lists. */
  readonly runId?: string;
  /** Of the gateway alone: the run whose end a wait waits for. A reset or a continuation begins another. */
  readonly currentRun?: string;
  readonly status: 'running' | 'closed';
  /** Where it stands; absent once it has closed. */
  readonly step?: string;
  /** How it ended: an outcome of its definition, or `failed`, `cancelled`, `terminated`, `timed-out`. */
  readonly outcome?: string;
  /** Whose word the outcome is: the process's own, or that of the engine, which stopped the process. */
  readonly endedBy?: 'process' | 'engine';
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  readonly closedAt?: string;
  /** What the definition's `prepare` gave, and its workflow changed. */
  readonly details?: Details;
}

const { WorkflowExecutionStatus } = proto.temporal.api.enums.v1;

/** Endings that Temporal gives to an instance whose own code did not say how it ended. */
const endingsWithoutOutcome = {
  [WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED]: 'completed',
  [WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED]: 'failed',
  [WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED]: 'cancelled',
  [WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED]: 'terminated',
  [WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT]: 'timed-out',
} as const;

/** The outcomes any instance can have, whatever its definition says. */
export const generalOutcomes = ['failed', 'cancelled', 'terminated', 'timed-out'] as const;

export type WorkflowExecutionInfo = proto.temporal.api.workflow.v1.IWorkflowExecutionInfo;

interface Described {
  readonly snapshot: InstanceSnapshot;
  /** Of the start that created the instance. */
  readonly fingerprint: string | undefined;
  readonly tenant: string | undefined;
  readonly currentRun: string;
}

/** Translates what Describe and List give. The memo survives continue-as-new, reset and retry; request ids do not. */
export async function toSnapshot(info: WorkflowExecutionInfo): Promise<Described> {
  const attributes = readAttributes(info.searchAttributes?.indexedFields);
  const startedAt = await decode(info.memo?.fields?.['startedAt']);
  const fingerprint = await decode(info.memo?.fields?.['fingerprint']);
  const details = await detailsIn(info);
  const ending = endingsWithoutOutcome[info.status as keyof typeof endingsWithoutOutcome] as string | undefined;
  const closedAt = ending === undefined ? undefined : toTimestamp(info.closeTime);
  return {
    fingerprint: typeof fingerprint === 'string' ? fingerprint : undefined,
    tenant: attributes.tenant,
    currentRun: info.execution?.runId ?? '',
    snapshot: {
      id: parseWorkflowId(info.execution?.workflowId ?? '')?.key ?? '',
      ...(info.firstRunId ? { runId: info.firstRunId, currentRun: info.execution?.runId ?? '' } : {}),
      status: ending === undefined ? 'running' : 'closed',
      ...(ending === undefined && attributes.step !== undefined ? { step: attributes.step } : {}),
      ...(ending === undefined ? {} : endOf(ending, attributes.outcome)),
      startedAt: typeof startedAt === 'string' ? startedAt : (toTimestamp(info.startTime) ?? ''),
      ...(closedAt === undefined ? {} : { closedAt }),
      ...(details === undefined ? {} : { details }),
    },
  };
}

async function detailsIn({ memo }: WorkflowExecutionInfo): Promise<Details | undefined> {
  const payload = memo?.fields?.['details'];
  const details = payload ? await decode(payload) : undefined;
  return typeof details === 'object' && details !== null ? (details as Details) : undefined;
}

// A workflow publishes its outcome with its completion. After another ending a published outcome never took effect.
const endOf = (ending: string, published: string | undefined) =>
  ending === 'completed' && published !== undefined
    ? ({ outcome: published, endedBy: 'process' } as const)
    : ({ outcome: ending, endedBy: 'engine' } as const);

export const toTimestamp = (time: proto.google.protobuf.ITimestamp | null | undefined): string | undefined =>
  time ? new Date(Number(time.seconds ?? 0) * 1_000 + Math.floor((time.nanos ?? 0) / 1e6)).toISOString() : undefined;

/** One Describe; needs no worker. Undefined where there is no such instance. Throws a read Problem. */
export async function describeInstance(
  { connection, namespace }: { connection: Connection; namespace: string },
  ref: InstanceRef,
  limits: CallLimits,
): Promise<Described | undefined> {
  try {
    const request = { namespace, execution: { workflowId: workflowIdOf(ref) } };
    const { workflowExecutionInfo } = await connection.call(methods.describeWorkflow, request, limits);
    return workflowExecutionInfo ? await toSnapshot(workflowExecutionInfo) : undefined;
  } catch (error) {
    if (isInstanceMissing(error)) return undefined;
    throw readProblemOf(error);
  }
}
