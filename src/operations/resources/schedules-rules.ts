import type { SettingsOf } from '../../config/process-settings.ts';
import { scheduleSettings } from '../../config/schedule-settings.ts';
import type { ProcessDefinition } from '../../definition/definition.ts';
import { checkLaunch, definitionOf } from '../../definition/launch-target.ts';
import { calendarOf, calendarOfCron } from '../../orchestration/schedules/calendar.ts';
import type { ScheduleRule } from '../../orchestration/schedules/raw-schedule.ts';
import { nextFirings, shortestGapMs, type Timetable } from '../../orchestration/schedules/timetable.ts';
import { zoneOf } from '../../orchestration/schedules/zone.ts';
import { Problem } from '../../problems.ts';
import type { Call, Services } from '../operation.ts';
import type { ScheduleReplacement, ScheduleSpec } from './schedules-schemas.ts';

/** When a schedule of this spec fires. */
export function timetableOf(spec: ScheduleSpec): Timetable {
  const { zone, cron, calendars, intervals, from, until } = spec;
  return {
    zone: found(zoneOf(zone)),
    calendars: [
      ...cron.map((text) => found(calendarOfCron(text))),
      ...calendars.map((each) => found(calendarOf(each))),
    ],
    intervals: intervals.map(({ everySeconds, offsetSeconds }) => ({
      everyMs: everySeconds * 1_000,
      offsetMs: offsetSeconds * 1_000,
    })),
    // The engine would take the whole second before a fraction as well.
    fromMs: from === undefined ? undefined : Math.ceil(Date.parse(from) / 1_000) * 1_000,
    untilMs: until === undefined ? undefined : Date.parse(until),
  };
}

/** The schema of the spec has seen to it. */
function found<T>(value: T | undefined): T {
  if (value === undefined)
    throw new Problem('invalid-request', { errors: [{ pointer: '/spec', message: 'does not fit' }] });
  return value;
}

/** The rule that the engine gets. */
export function ruleOf({ spec, overlap, catchUpSeconds, pauseOnFailure }: ScheduleReplacement): ScheduleRule {
  const { calendars, intervals, fromMs, untilMs } = timetableOf(spec);
  return {
    zoneName: spec.zone,
    calendars,
    intervals,
    fromMs,
    untilMs,
    jitterMs: spec.jitterSeconds * 1_000,
    overlap,
    catchUpMs: catchUpSeconds * 1_000,
    pauseOnFailure,
  };
}

type Asker = Pick<Call, 'principal' | 'signal'>;

/**
 * Judges a schedule when it is asked for: the permission to start its process, the input with the key of a firing in its
 * place, the policy and the shortest interval. Throws a Problem.
 */
export async function judge(name: string, asked: ScheduleReplacement, asker: Asker, services: Services): Promise<void> {
  const { action, overlap, pauseOnFailure, spec } = asked;
  const { definition } = launchOf(name, action, asker, services);
  checkOwnKey(definition, action.input);
  if (overlap === 'cancel-other') checkCancel(definition);
  if (overlap === 'allow-all' && pauseOnFailure) {
    // The engine does not look how such a firing ends.
    throw refused('/pauseOnFailure', 'has no effect with allow-all');
  }
  checkInterval(spec, services.settingsOf);
  await judgeAction(name, action, asker, services);
}

/**
 * Judges what a schedule starts, for whoever asks for its firings. Throws `forbidden` also where the caller lacks a
 * permission on what the instance itself will start.
 */
export async function judgeAction(
  name: string,
  action: ScheduleReplacement['action'],
  asker: Asker,
  services: Services,
): Promise<void> {
  const { definition, key, input: parsed } = launchOf(name, action, asker, services);
  // The definition takes the input that its own schema gave.
  const input = parsed as never;
  const { principal, signal } = asker;
  await definition.prepare?.({ input, key, startedAt: new Date().toISOString(), principal, services, signal });
}

/** A firing of the action. Throws `forbidden` unless the caller may start the process. */
const launchOf = (
  name: string,
  action: ScheduleReplacement['action'],
  { principal: { permissions } }: Asker,
  { catalog }: Services,
) => checkLaunch(catalog, { ...action, key: `${name}.2000-01-01T00:00:00Z`, at: '/action', permissions });

function checkOwnKey({ key }: ProcessDefinition, input: Readonly<Record<string, unknown>>): void {
  if (key.from !== 'body' || !(key.field in input)) return;
  throw refused(`/action/input/${key.field}`, 'is set by each firing: it is the key, and belongs to one instance');
}

function checkCancel({ actions }: ProcessDefinition): void {
  const { cancel } = actions;
  if (cancel?.input.safeParse({}).success === true) return;
  throw refused('/overlap', 'needs a process that can be cancelled by an action of its own');
}

function checkInterval(spec: ScheduleSpec, settingsOf: SettingsOf): void {
  const timetable = timetableOf(spec);
  const { shortestInterval } = settingsOf(scheduleSettings);
  // What fires from a date on is judged from there.
  const after = Math.max(Date.now(), timetable.fromMs ?? 0) - 1;
  if (nextFirings(timetable, after, 1).length === 0) throw refused('/spec', 'names no time from now on');
  if (shortestGapMs(timetable, after) >= shortestInterval) return;
  throw refused('/spec', `has firings that follow each other in less than ${shortestInterval / 1_000} seconds`);
}

const refused = (pointer: string, message: string): Problem =>
  new Problem('invalid-request', { detail: 'The schedule does not fit.', errors: [{ pointer, message }] });

/** The process of an action as it is served now; undefined where it is not any more. */
export function definitionIn(
  catalog: readonly ProcessDefinition[],
  action: ScheduleReplacement['action'],
): ProcessDefinition | undefined {
  try {
    return definitionOf(catalog, action);
  } catch {
    return undefined;
  }
}
