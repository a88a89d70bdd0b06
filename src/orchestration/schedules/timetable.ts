import type { Calendar } from './calendar.ts';
import { nextMatch } from './next-match.ts';
import type { Zone } from './zone.ts';

/** When a schedule fires: at each time that a calendar or an interval names. */
export interface Timetable {
  readonly zone: Zone;
  readonly calendars: readonly Calendar[];
  /** Multiples of `everyMs` since 1970, moved by `offsetMs`. */
  readonly intervals: readonly { readonly everyMs: number; readonly offsetMs: number }[];
  /** The first and the last instant at which it may fire. */
  readonly fromMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

const secondMs = 1_000;
/** Longer than any change of the clock, the day that a zone may leave out included. */
const nearMs = 172_800_000;
// Calendars end with the year 2100.
const endMs = Date.UTC(2101, 0, 2);

/**
 * The instants after `afterMs` at which a schedule fires, before jitter, in order and each once: whole seconds as
 * milliseconds since 1970. They are those of the engine, also about changes of the clock.
 */
export function* firingsAfter(timetable: Timetable, afterMs: number): Generator<number, void> {
  const { fromMs, untilMs = endMs } = timetable;
  const nextAfter = createSearch(timetable);
  let time = Math.max(afterMs, fromMs === undefined ? 0 : Math.ceil(fromMs / secondMs) * secondMs - 1);
  for (;;) {
    time = nextAfter(time);
    if (time > Math.min(untilMs, endMs)) return;
    yield time;
  }
}

/** The first firing after an instant, asked for instants that never go back. */
function createSearch({ zone, calendars, intervals }: Timetable): (afterMs: number) => number {
  const found = calendars.map(() => -Infinity);
  return (afterMs) => {
    // Temporal counts in whole seconds.
    const after = Math.floor(afterMs / secondMs) * secondMs;
    for (const [index, calendar] of calendars.entries()) {
      // A search through a century is not repeated for each firing. Only near a match does it depend on where it begins.
      if ((found[index] ?? 0) - after < nearMs) found[index] = nextMatch(calendar, zone, after) ?? Infinity;
    }
    return Math.min(
      ...found,
      ...intervals.map(({ everyMs, offsetMs }) => (Math.floor((after - offsetMs) / everyMs) + 1) * everyMs + offsetMs),
    );
  };
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

/**
 * The last instant at which a firing with a nominal time of `untilMs` at the latest can begin. Jitter never delays one up to
 * the next nominal time.
 */
export function lastBeginMs(timetable: Timetable, untilMs: number, jitterMs: number): number {
  const [next = Infinity] = nextFirings(timetable, untilMs, 1);
  return Math.min(untilMs + jitterMs, next - 1);
}

/** The shortest time between two of the first thousand firings after an instant; Infinity where there are not two. */
export function shortestGapMs(timetable: Timetable, afterMs: number): number {
  const firings = nextFirings(timetable, afterMs, 1_000);
  return Math.min(...firings.slice(1).map((firing, index) => firing - (firings[index] ?? 0)), Infinity);
}
