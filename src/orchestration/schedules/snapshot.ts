import { optionalTsToMs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { z } from 'zod';
import { decode } from '../codec.ts';
import { readAttributes } from '../search-attributes.ts';
import { nameInScheduleId, type ScheduleRecord } from './raw-schedule.ts';

/** A firing that has begun. */
export interface Firing {
  /** The nominal time, RFC 3339 in UTC: what the key of its instance ends in. */
  readonly scheduledAt: string;
  readonly firedAt: string;
  /**
   * `failed`: nothing could be started, or the engine ended what was started. Absent where the engine does not say: in
   * lists before the end, and for firings beside others, which it does not follow.
   */
  readonly state?: 'running' | 'ended' | 'failed';
}

/** Why a schedule was paused or resumed last. */
export interface ScheduleNote {
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  readonly at?: string | undefined;
}

/** A schedule as the engine knows it. */
export interface ScheduleSnapshot {
  readonly name: string;
  readonly tenant: string | undefined;
  /** Changes with each change of the schedule, a pause included. */
  readonly token: Uint8Array;
  readonly record: ScheduleRecord;
  /** Of the request that created it. */
  readonly fingerprint: string | undefined;
  readonly isPaused: boolean;
  readonly note: ScheduleNote;
  /** The last firings, the newest first; those that were triggered by hand are none. */
  readonly firings: readonly Firing[];
  readonly counts: Readonly<Record<'fired' | 'missed' | 'skipped' | 'dropped' | 'buffered', number>>;
}

/** What a list tells of a schedule. */
export interface ScheduleEntry {
  readonly name: string;
  readonly tenant: string | undefined;
  readonly isPaused: boolean;
  readonly note: ScheduleNote;
  /** RFC 3339 in UTC, with jitter. */
  readonly next: readonly string[];
  readonly firings: readonly Firing[];
}

const { WorkflowExecutionStatus } = proto.temporal.api.enums.v1;
type Execution = proto.temporal.api.common.v1.IWorkflowExecution;
type ActionResult = proto.temporal.api.schedule.v1.IScheduleActionResult;

type Described = proto.temporal.api.workflowservice.v1.IDescribeScheduleResponse;

/** Translates what Describe gives. Throws where the schedule is none of ours. */
export async function toScheduleSnapshot(scheduleId: string, described: Described): Promise<ScheduleSnapshot> {
  const { schedule, info, memo, searchAttributes, conflictToken } = described;
  const fingerprint = await decode(memo?.fields?.['fingerprint']);
  return {
    name: nameInScheduleId(scheduleId),
    tenant: readAttributes(searchAttributes?.indexedFields).tenant,
    token: conflictToken ?? new Uint8Array(),
    // Nobody but Portico writes it.
    record: (await decode(schedule?.action?.startWorkflow?.input?.payloads?.[0])) as ScheduleRecord,
    fingerprint: typeof fingerprint === 'string' ? fingerprint : undefined,
    isPaused: schedule?.state?.paused === true,
    note: readNote(schedule?.state?.notes),
    firings: firingsOf(info?.recentActions, info?.runningWorkflows ?? []),
    counts: {
      fired: Number(info?.actionCount ?? 0),
      missed: Number(info?.missedCatchupWindow ?? 0),
      skipped: Number(info?.overlapSkipped ?? 0),
      dropped: Number(info?.bufferDropped ?? 0),
      buffered: Number(info?.bufferSize ?? 0),
    },
  };
}

/** Translates what List gives. */
export function toScheduleEntry({
  scheduleId,
  searchAttributes,
  info,
}: proto.temporal.api.schedule.v1.IScheduleListEntry): ScheduleEntry {
  return {
    name: nameInScheduleId(scheduleId ?? ''),
    tenant: readAttributes(searchAttributes?.indexedFields).tenant,
    isPaused: info?.paused === true,
    note: readNote(info?.notes),
    next: (info?.futureActionTimes ?? []).flatMap((time) => secondsText(optionalTsToMs(time)) ?? []),
    firings: firingsOf(info?.recentActions),
  };
}

/** `followed` are the launchers whose end the engine looks for. */
function firingsOf(results: readonly ActionResult[] | null | undefined, followed: readonly Execution[] = []): Firing[] {
  const running = new Set(followed.map(({ workflowId }) => workflowId));
  const firings = (results ?? []).map(({ actualTime, startWorkflowResult, startWorkflowStatus }) => ({
    scheduledAt: /-([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z)$/.exec(startWorkflowResult?.workflowId ?? '')?.[1] ?? '',
    firedAt: new Date(optionalTsToMs(actualTime) ?? 0).toISOString(),
    ...stateOf(startWorkflowStatus, running.has(startWorkflowResult?.workflowId)),
  }));
  return firings.filter(({ scheduledAt }) => scheduledAt !== '').reverse();
}

function stateOf(status: number | null | undefined, isFollowed: boolean): Pick<Firing, 'state'> {
  switch (status) {
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED:
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED:
      return { state: 'ended' };
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED:
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED:
    case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
      return { state: 'failed' };
    default:
      return isFollowed ? { state: 'running' } : {};
  }
}

/** An instant without fractions of a second, as keys of instances have it. */
export const secondsText = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace(/\.[0-9]+Z$/, 'Z');

// The engine keeps no longer one.
const maxNoteBytes = 1_000;

/** The text in which the engine keeps a note. Who wrote it is left out where there is no room. */
export function writeNote(note: ScheduleNote): string {
  const text = JSON.stringify(note);
  return Buffer.byteLength(text) <= maxNoteBytes ? text : JSON.stringify({ ...note, by: undefined });
}

const storedNote = z.object({ reason: z.string(), by: z.string(), at: z.string() }).partial();

/** What Portico did not write is shown to nobody: the engine's own words after a failure, and those of its operators. */
function readNote(text: string | null | undefined): ScheduleNote {
  if (!text) return {};
  if (text.startsWith('paused due to workflow')) return { reason: 'a firing failed' };
  const { data = { reason: 'changed by an operator of Temporal' } } = storedNote.safeParse(jsonOf(text));
  return data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
