import type { Calendar } from './calendar.ts';
import type { Zone } from './zone.ts';

/** When a schedule fires: at each time that a calendar or an interval names, unless `except` names it too. */
export interface Timetable {
  readonly zone: Zone;
  readonly calendars: readonly Calendar[];
  readonly except: readonly Calendar[];
  /** Multiples of `everyMs` since 1970, moved by `offsetMs`. */
  readonly intervals: readonly { readonly everyMs: number; readonly offsetMs: number }[];
  /** The first and the last instant at which it may fire. */
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

const secondMs = 1_000;
const dayMs = 86_400_000;
// Calendars end with the year 2100.
const endMs = Date.UTC(2101, 0, 2);

/**
 * The instants after `afterMs` at which a schedule fires, before jitter, in order and each once: whole seconds as
 * milliseconds since 1970. They are those of the engine: a local time that a change of the clock leaves out does not
 * fire, and one that comes twice fires twice.
 */
export function* firingsAfter(timetable: Timetable, afterMs: number): Generator<number, void> {
  const { zone, calendars, except, intervals, fromMs, untilMs = endMs } = timetable;
  const after = Math.max(afterMs, fromMs === undefined ? 0 : Math.ceil(fromMs / secondMs) * secondMs - 1);
  const sources = [
    ...calendars.map((calendar) => calendarTimes(calendar, zone, after)),
    ...intervals.map((interval) => intervalTimes(interval, after)),
  ].map((times) => ({ times, next: times.next() }));
  for (;;) {
    const earliest = Math.min(...sources.map(({ next }) => (next.done === true ? Infinity : next.value)));
    if (earliest > Math.min(untilMs, endMs)) return;
    for (const source of sources) {
      if (source.next.done !== true && source.next.value === earliest) source.next = source.times.next();
    }
    if (!except.some((calendar) => matches(calendar, zone, earliest))) yield earliest;
  }
}

/** The first `count` firings after an instant. */
export const nextFirings = (timetable: Timetable, afterMs: number, count: number): number[] => {
  const found: number[] = [];
  if (count === 0) return found;
  for (const firing of firingsAfter(timetable, afterMs)) {
    found.push(firing);
    if (found.length === count) break;
  }
  return found;
};

/** The shortest time between two of the first thousand firings after an instant; Infinity where there are not two. */
export function shortestGapMs(timetable: Timetable, afterMs: number): number {
  const firings = nextFirings(timetable, afterMs, 1_000);
  return Math.min(...firings.slice(1).map((firing, index) => firing - (firings[index] ?? 0)), Infinity);
}

function* intervalTimes(
  { everyMs, offsetMs }: { readonly everyMs: number; readonly offsetMs: number },
  afterMs: number,
): Generator<number, void> {
  for (let time = (Math.floor((afterMs - offsetMs) / everyMs) + 1) * everyMs + offsetMs; ; time += everyMs) yield time;
}

function* calendarTimes(calendar: Calendar, zone: Zone, afterMs: number): Generator<number, void> {
  const lastYear = calendar.year.at(-1) ?? 0;
  // A local date is kept as the instant of its midnight in UTC.
  for (let date = Math.floor((afterMs + zone.offsetAt(afterMs)) / dayMs) * dayMs - dayMs; date < endMs; date += dayMs) {
    if (new Date(date).getUTCFullYear() > lastYear) return;
    if (!matchesDate(calendar, new Date(date))) continue;
    for (const time of timesOn(date, calendar, zone)) if (time > afterMs) yield time;
  }
}

const matchesDate = ({ year, month, dayOfMonth, dayOfWeek }: Calendar, date: Date): boolean =>
  year.includes(date.getUTCFullYear()) &&
  month.includes(date.getUTCMonth() + 1) &&
  dayOfMonth.includes(date.getUTCDate()) &&
  dayOfWeek.includes(date.getUTCDay());

/** The instants of one local date, in order. */
function* timesOn(date: number, calendar: Calendar, zone: Zone): Generator<number, void> {
  const [before, after] = [zone.offsetAt(date - 0.75 * dayMs), zone.offsetAt(date + 1.75 * dayMs)];
  if (before === after) {
    for (const time of wallTimes(calendar)) yield date + time - before;
    return;
  }
  // The clock is changed about this date: a wall time has no, one or two instants, not in the order of wall times.
  const instants = [...wallTimes(calendar)].flatMap((time) =>
    [before, after].map((offset) => ({ offset, instant: date + time - offset })),
  );
  yield* instants
    .filter(({ offset, instant }) => zone.offsetAt(instant) === offset)
    .map(({ instant }) => instant)
    .sort((one, other) => one - other);
}

function* wallTimes({ hour, minute, second }: Calendar): Generator<number, void> {
  for (const h of hour) for (const m of minute) for (const s of second) yield ((h * 60 + m) * 60 + s) * secondMs;
}

function matches(calendar: Calendar, zone: Zone, instantMs: number): boolean {
  const local = new Date(instantMs + zone.offsetAt(instantMs));
  return (
    matchesDate(calendar, local) &&
    calendar.hour.includes(local.getUTCHours()) &&
    calendar.minute.includes(local.getUTCMinutes()) &&
    calendar.second.includes(local.getUTCSeconds())
  );
}
