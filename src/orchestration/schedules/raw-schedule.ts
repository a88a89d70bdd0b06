import { msNumberToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import type { Actor } from '../../definition/envelope.ts';
import type { ScheduledLaunch } from '../../definition/scheduled-launch.ts';
import { encode } from '../codec.ts';
import { workflowIdOf } from '../identity.ts';
import { labelOf, ownedAttributes } from '../search-attributes.ts';
import { type Calendar, type CalendarField, calendarFields, matchesAll } from './calendar.ts';
import type { Timetable } from './timetable.ts';

/** What a schedule does when a firing comes while the instance of an earlier one has not closed. */
export type OverlapPolicy = keyof typeof overlapPolicies;

const { ScheduleOverlapPolicy } = proto.temporal.api.enums.v1;

export const overlapPolicies = {
  skip: ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_SKIP,
  'buffer-one': ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
  'buffer-all': ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL,
  'cancel-other': ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER,
  'allow-all': ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
} as const;

/** When a schedule fires, and what it does about firings that cannot begin in time. */
export interface ScheduleRule extends Omit<Timetable, 'zone'> {
  readonly zoneName: string;
  readonly jitterMs: number;
  readonly overlap: OverlapPolicy;
  readonly catchUpMs: number;
  readonly pauseOnFailure: boolean;
}

/** What a schedule keeps of itself. Its first member is what its firings read. */
export interface ScheduleRecord {
  readonly launch: ScheduledLaunch;
  /** The schedule as its author wrote it. */
  readonly asked: unknown;
  /** The requests that made it so, the newest first: each tells its author whether it was the one that won. */
  readonly revisions: readonly string[];
  readonly createdBy: Actor;
  readonly createdAt: string;
  readonly replacedBy?: Actor | undefined;
  readonly replacedAt?: string | undefined;
}

/** A schedule, by its tenant and its name. */
export interface ScheduleAddress {
  readonly tenant: string;
  readonly name: string;
}

/** What ids and search attributes have in the place of a process. */
export const schedulesName = 'schedules';

export type RawSchedule = proto.temporal.api.schedule.v1.ISchedule;
type RawSpec = proto.temporal.api.schedule.v1.IScheduleSpec;

/** The id of the schedule in Temporal; its firings get it with their time. */
export const scheduleIdOf = ({ tenant, name }: ScheduleAddress): string =>
  workflowIdOf({ tenant, process: schedulesName, key: name });

/** The name in an id of {@link scheduleIdOf}. */
export const nameInScheduleId = (scheduleId: string): string => scheduleId.slice(scheduleId.lastIndexOf('/') + 1);

/** The schedule in Temporal's terms. */
export async function toRawSchedule(schedule: {
  readonly rule: ScheduleRule;
  readonly record: ScheduleRecord;
  readonly state: proto.temporal.api.schedule.v1.IScheduleState;
  readonly taskQueue: string;
}): Promise<RawSchedule> {
  const { rule, record, state, taskQueue } = schedule;
  const { tenant, schedule: name } = record.launch;
  return {
    spec: toRawSpec(rule),
    policies: {
      overlapPolicy: overlapPolicies[rule.overlap],
      catchupWindow: msNumberToTs(rule.catchUpMs),
      pauseOnFailure: rule.pauseOnFailure,
    },
    state,
    action: {
      startWorkflow: {
        workflowId: scheduleIdOf({ tenant, name }),
        workflowType: { name: 'launches' },
        taskQueue: { name: taskQueue },
        input: { payloads: [await encode(record)] },
        searchAttributes: {
          indexedFields: ownedAttributes({ tenant, process: schedulesName, labels: [labelOf('schedule', name)] }),
        },
      },
    },
  };
}

const toRawSpec = ({ zoneName, calendars, except, intervals, fromMs, untilMs, jitterMs }: ScheduleRule): RawSpec => ({
  structuredCalendar: calendars.map(toRawCalendar),
  excludeStructuredCalendar: except.map(toRawCalendar),
  interval: intervals.map(({ everyMs, offsetMs }) => ({
    interval: msNumberToTs(everyMs),
    phase: msNumberToTs(offsetMs),
  })),
  ...(fromMs === undefined ? {} : { startTime: msNumberToTs(fromMs) }),
  ...(untilMs === undefined ? {} : { endTime: msNumberToTs(untilMs) }),
  jitter: msNumberToTs(jitterMs),
  timezoneName: zoneName,
});

const toRawCalendar = (calendar: Calendar) =>
  Object.fromEntries(calendarFields.map((field) => [field, rangesOf(field, calendar[field])]));

/** Neighbours become one range. For Temporal no range at all means every year. */
function rangesOf(field: CalendarField, values: readonly number[]) {
  if (field === 'year' && matchesAll(field, values)) return [];
  const ranges: { start: number; end: number; step: number }[] = [];
  for (const value of values) {
    const last = ranges.at(-1);
    if (last?.end === value - 1) last.end = value;
    else ranges.push({ start: value, end: value, step: 1 });
  }
  return ranges;
}
