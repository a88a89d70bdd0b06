import { z } from 'zod';

const unitsMs = { weeks: 604_800_000, days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1_000 } as const;

const pattern =
  /^P(?=[0-9T])(?:(?<weeks>[0-9]{1,4})W)?(?:(?<days>[0-9]{1,5})D)?(?:T(?=[0-9])(?:(?<hours>[0-9]{1,6})H)?(?:(?<minutes>[0-9]{1,8})M)?(?:(?<seconds>[0-9]{1,9}(?:\.[0-9]{1,3})?)S)?)?$/;

/** The milliseconds of an ISO 8601 duration; undefined for years and months, whose length varies, and for other text. */
export function durationMsOf(text: string): number | undefined {
  const groups = pattern.exec(text)?.groups;
  if (groups === undefined) return undefined;
  return Object.entries(unitsMs).reduce((sum, [unit, ms]) => sum + Math.round(Number(groups[unit] ?? 0) * ms), 0);
}

/** An ISO 8601 duration of weeks, days (of 24 hours), hours, minutes and seconds, within bounds; the output is milliseconds. */
export const isoDuration = (min: string, max: string) => {
  const [minMs = 0, maxMs = 0] = [durationMsOf(min), durationMsOf(max)];
  const message = `must be an ISO 8601 duration from ${min} to ${max} without years and months, such as PT5M`;
  return z
    .string()
    .max(40)
    .refine((text) => {
      const ms = durationMsOf(text);
      return ms !== undefined && ms >= minMs && ms <= maxMs;
    }, message)
    .transform((text) => durationMsOf(text) ?? 0);
};
