import { type Calendar, matchesAll } from './calendar.ts';
import type { Zone } from './zone.ts';

const hourMs = 3_600_000;
const lastYear = 2_100;

/** A wall time as it is looked for, field by field; a field may be one past its end for a moment. */
interface Wall {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  /** What is added to the instant of the wall time, in a local hour that comes twice. */
  shiftMs: number;
}

/**
 * The first instant after another at which the clock of a zone shows a time of the calendar; undefined after 2100. It
 * follows Temporal's own search step by step (`calendar.go`), also where that skips the first copy of a repeated hour:
 * what a preview shows is what fires.
 */
export function nextMatch(calendar: Calendar, zone: Zone, afterMs: number): number | undefined {
  const wall = wallAt(zone, afterMs);
  wall.second += 1;
  for (;;) {
    carry(wall, zone);
    if (wall.year > lastYear) return undefined;
    if (!moveToDate(calendar, zone, wall) || !moveToTime(calendar, wall)) continue;
    const instant = instantOf(zone, wall);
    if (localHour(zone, instant) === wall.hour) return instant + wall.shiftMs;
    // The clock skips this hour.
    Object.assign(wall, { hour: wall.hour + 1, minute: 0, second: 0 });
  }
}

function wallAt(zone: Zone, instantMs: number): Wall {
  const local = new Date(instantMs + zone.offsetAt(instantMs));
  const hour = local.getUTCHours();
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour,
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    shiftMs: localHour(zone, instantMs - hourMs) === hour ? hourMs : 0,
  };
}

const localHour = (zone: Zone, instantMs: number): number =>
  new Date(instantMs + zone.offsetAt(instantMs)).getUTCHours();

/** The instant that Go's `time.Date` gives for a wall time that comes twice or not at all. */
function instantOf(zone: Zone, { year, month, day, hour, minute, second }: Wall): number {
  const unshifted = Date.UTC(year, month - 1, day, hour, minute, second);
  return unshifted - zone.offsetAt(unshifted - zone.offsetAt(unshifted));
}

/** A day whose midnight the clock skips has the weekday of the day before it, as for Temporal. */
function weekdayOf(zone: Zone, wall: Wall): number {
  const instant = instantOf(zone, wall);
  return new Date(instant + zone.offsetAt(instant)).getUTCDay();
}

const daysIn = ({ year, month }: Wall): number => new Date(Date.UTC(year, month, 0)).getUTCDate();

/** Brings fields that are past their end to the next one. */
function carry(wall: Wall, zone: Zone): void {
  if (wall.second >= 60) Object.assign(wall, { minute: wall.minute + 1, second: 0 });
  if (wall.minute >= 60) {
    const before = instantOf(zone, { ...wall, minute: 0, second: 0 });
    Object.assign(wall, { hour: wall.hour + 1, minute: 0 });
    const next = instantOf(zone, { ...wall, second: 0 });
    const isRepeated = wall.shiftMs === 0 && next - before > hourMs;
    if (isRepeated) wall.hour -= 1;
    wall.shiftMs = isRepeated ? hourMs : 0;
  }
  if (wall.hour >= 24) Object.assign(wall, { day: wall.day + 1, hour: 0 });
  if (wall.day > daysIn(wall)) Object.assign(wall, { month: wall.month + 1, day: 1 });
  if (wall.month > 12) Object.assign(wall, { year: wall.year + 1, month: 1 });
}

const midnight = { hour: 0, minute: 0, second: 0, shiftMs: 0 };

/** Moves to a date that matches; false where a field has to be carried first. */
function moveToDate({ year, month, dayOfMonth, dayOfWeek }: Calendar, zone: Zone, wall: Wall): boolean {
  if (!year.includes(wall.year)) {
    Object.assign(wall, midnight, { year: wall.year + 1, month: 1, day: 1 });
    return false;
  }
  while (!month.includes(wall.month)) {
    Object.assign(wall, midnight, { month: wall.month + 1, day: 1 });
    if (wall.month > 12) return false;
  }
  const isAnyWeekday = matchesAll('dayOfWeek', dayOfWeek);
  while (!dayOfMonth.includes(wall.day) || !(isAnyWeekday || dayOfWeek.includes(weekdayOf(zone, wall)))) {
    Object.assign(wall, midnight, { day: wall.day + 1 });
    if (wall.day > daysIn(wall)) return false;
  }
  return true;
}

/** Moves to a time of the day that matches; false where a field has to be carried first. */
function moveToTime({ hour, minute, second }: Calendar, wall: Wall): boolean {
  while (!hour.includes(wall.hour)) {
    Object.assign(wall, midnight, { hour: wall.hour + 1 });
    if (wall.hour >= 24) return false;
  }
  while (!minute.includes(wall.minute)) {
    Object.assign(wall, { minute: wall.minute + 1, second: 0 });
    if (wall.minute >= 60) return false;
  }
  while (!second.includes(wall.second)) {
    wall.second += 1;
    if (wall.second >= 60) return false;
  }
  return true;
}
