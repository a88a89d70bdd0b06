/** The fields of a calendar, each as the sorted values that match. Sunday is 0. */
export type Calendar = Readonly<Record<CalendarField, readonly number[]>>;

export type CalendarField = 'second' | 'minute' | 'hour' | 'dayOfMonth' | 'month' | 'year' | 'dayOfWeek';

interface Bounds {
  readonly min: number;
  readonly max: number;
  /** What an expression that is left out means. */
  readonly fallback: string;
  /** Names of the values from `min` on; at least so many of their letters are needed. */
  readonly names?: { readonly words: readonly string[]; readonly letters: number };
}

const months = 'january february march april may june july august september october november december'.split(' ');
const weekdays = 'sunday monday tuesday wednesday thursday friday saturday'.split(' ');

const boundsOf: Readonly<Record<CalendarField, Bounds>> = {
  second: { min: 0, max: 59, fallback: '0' },
  minute: { min: 0, max: 59, fallback: '0' },
  hour: { min: 0, max: 23, fallback: '0' },
  dayOfMonth: { min: 1, max: 31, fallback: '*' },
  month: { min: 1, max: 12, fallback: '*', names: { words: months, letters: 3 } },
  year: { min: 2000, max: 2100, fallback: '*' },
  // 7 is Sunday too.
  dayOfWeek: { min: 0, max: 7, fallback: '*', names: { words: weekdays, letters: 2 } },
};

/** The fields in the order in which errors name them. */
export const calendarFields = Object.keys(boundsOf) as readonly CalendarField[];

/**
 * The values that an expression such as `1-5/2,8` or `mon-fri` names, sorted; undefined for one that cannot be
 * understood. `x/n` goes on from x to the greatest value.
 */
export function valuesOf(field: CalendarField, expression?: string): readonly number[] | undefined {
  const bounds = boundsOf[field];
  const parts = (expression ?? bounds.fallback).split(',').map((part) => rangeOf(bounds, part));
  const values = parts.flatMap((part) => part ?? []);
  if (parts.includes(undefined)) return undefined;
  const weekday = (value: number) => (field === 'dayOfWeek' ? value % 7 : value);
  return [...new Set(values.map(weekday))].sort((one, other) => one - other);
}

/** What a message says of an expression that cannot be understood. */
export function expectationOf(field: CalendarField): string {
  const { min, max, names } = boundsOf[field];
  return `must be *, values from ${min} to ${max}${names === undefined ? '' : ' or names'}, ranges such as 1-5, or steps such as */2, with commas between them`;
}

function rangeOf(bounds: Bounds, part: string): readonly number[] | undefined {
  const [, from = '', to, step] = /^(\*|[A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?(?:\/([0-9]{1,4}))?$/.exec(part) ?? [];
  if (from === '*' && to !== undefined) return undefined;
  const start = from === '*' ? bounds.min : valueOf(bounds, from);
  const end =
    from === '*' ? bounds.max : to === undefined ? (step === undefined ? start : bounds.max) : valueOf(bounds, to);
  const by = step === undefined ? 1 : Number(step);
  if (start === undefined || end === undefined || end < start || by < 1) return undefined;
  return Array.from({ length: Math.floor((end - start) / by) + 1 }, (_, index) => start + index * by);
}

function valueOf({ min, max, names }: Bounds, text: string): number | undefined {
  if (names !== undefined && text.length >= names.letters && /^[A-Za-z]+$/.test(text)) {
    const index = names.words.findIndex((word) => word.startsWith(text.toLowerCase()));
    return index === -1 ? undefined : index + min;
  }
  const value = /^[0-9]{1,4}$/.test(text) ? Number(text) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

const shorthands: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * The five fields of a cron text, or what it is short for: minute, hour, day of the month, month, day of the week. Where
 * both kinds of day are given, both must match. Undefined for a text that cannot be understood.
 */
export function calendarOfCron(text: string): Calendar | undefined {
  const parts = (shorthands[text] ?? text).trim().split(/\s+/);
  const [minute, hour, dayOfMonth, month, dayOfWeek] = parts;
  return parts.length === 5 ? calendarOf({ minute, hour, dayOfMonth, month, dayOfWeek }) : undefined;
}

/** The calendar of these expressions; undefined where one cannot be understood. */
export function calendarOf(
  expressions: Readonly<Partial<Record<CalendarField, string | undefined>>>,
): Calendar | undefined {
  const values = calendarFields.map((field) => [field, valuesOf(field, expressions[field])] as const);
  return values.every(([, each]) => each !== undefined) ? (Object.fromEntries(values) as Calendar) : undefined;
}

/** Whether a field lets every value match. */
export const matchesAll = (field: CalendarField, values: readonly number[]): boolean => {
  const { min, max } = boundsOf[field];
  return values.length === (field === 'dayOfWeek' ? 7 : max - min + 1);
};
