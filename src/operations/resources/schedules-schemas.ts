import { z } from 'zod';
import { calendarFields, calendarOfCron, expectationOf, valuesOf } from '../../orchestration/schedules/calendar.ts';
import { overlapPolicies, type OverlapPolicy } from '../../orchestration/schedules/raw-schedule.ts';
import { zoneOf } from '../../orchestration/schedules/zone.ts';
import { instant } from '../list.ts';

/** No dot, because `{name}.{time}` must not be the key of another schedule as well. */
export const scheduleName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, {
  message: 'must be 1 to 64 of the characters A-Z a-z 0-9 _ -',
});

export const scheduleParams = z.object({ name: scheduleName });

const calendar = z
  .strictObject(
    Object.fromEntries(
      calendarFields.map((field) => [
        field,
        z
          .string()
          .max(200)
          .refine((text) => valuesOf(field, text) !== undefined, { message: expectationOf(field) })
          .optional(),
      ]),
    ),
  )
  .meta({
    id: 'ScheduleCalendar',
    description:
      'Local times that match all fields: `*`, values, ranges `1-5`, steps `*/2`, with commas between them. Hour, minute and second are 0 where they are left out, the others any.',
  });

const cron = z
  .string()
  .max(200)
  .refine((text) => calendarOfCron(text) !== undefined, {
    message:
      'must have five fields (minute, hour, day of month, month, day of week), or be one of @hourly, @daily, @weekly, @monthly, @yearly',
  });

const interval = z
  .strictObject({
    everySeconds: z.int().min(1).max(31_536_000),
    offsetSeconds: z.int().min(0).default(0).describe('Moves the multiples of `everySeconds` since 1970.'),
  })
  .refine(({ everySeconds, offsetSeconds }) => offsetSeconds < everySeconds, {
    path: ['offsetSeconds'],
    message: 'must be less than `everySeconds`',
  });

const atMost = 10;

export const scheduleSpec = z
  .strictObject({
    zone: z
      .string()
      .max(64)
      .refine((name) => zoneOf(name) !== undefined, {
        message: 'must be the IANA name of a time zone, such as Europe/Vienna',
      })
      .default('UTC')
      .describe(
        'Of cron texts and calendars. A local time that the clock skips does not fire. For one that comes twice the preview tells.',
      ),
    cron: z
      .array(cron)
      .max(atMost)
      .default([])
      .describe('Where both a day of the month and a day of the week are given, both must match.'),
    calendars: z.array(calendar).max(atMost).default([]),
    intervals: z.array(interval).max(atMost).default([]),
    from: instant.optional().describe('Inclusive.'),
    until: instant.optional().describe('Inclusive.'),
    jitterSeconds: z.int().min(0).max(86_400).default(0).describe('Each firing is late by up to so much, at random.'),
  })
  .refine((spec) => spec.cron.length + spec.calendars.length + spec.intervals.length > 0, {
    message: 'must have a cron text, a calendar or an interval',
  })
  .refine(({ from, until }) => from === undefined || until === undefined || Date.parse(from) <= Date.parse(until), {
    path: ['until'],
    message: 'must not be before `from`',
  })
  .meta({ id: 'ScheduleSpec', description: 'The union of all times that its members name.' });

export type ScheduleSpec = z.output<typeof scheduleSpec>;

export const overlap = z
  .enum(Object.keys(overlapPolicies) as [OverlapPolicy, ...OverlapPolicy[]])
  .describe('What is done about a firing while the instance of an earlier one has not closed.');

export const replacement = {
  spec: scheduleSpec,
  action: z
    .strictObject({
      process: z.string().min(1).max(128).describe('What each firing starts.'),
      version: z.int().min(1).optional().describe('The newest unless told otherwise.'),
      input: z
        .record(z.string(), z.unknown())
        .describe('The body of its start without the key, which each firing sets.'),
    })
    .meta({ id: 'ScheduleAction' }),
  overlap: overlap.default('skip'),
  catchUpSeconds: z
    .int()
    .min(10)
    .max(31_536_000)
    .default(3_600)
    .describe('How late a firing may begin after an outage; later ones are not made up.'),
  pauseOnFailure: z
    .boolean()
    .default(false)
    .describe(
      'Pauses the schedule when nothing could be started, or when an instance failed. Not offered with `allow-all`.',
    ),
};

export const scheduleReplacement = z.strictObject(replacement).meta({ id: 'ScheduleReplacement' });
export const scheduleInput = z.strictObject({ name: scheduleName, ...replacement }).meta({ id: 'ScheduleInput' });

export type ScheduleReplacement = z.output<typeof scheduleReplacement>;

export const pauseInput = z
  .strictObject({ reason: z.string().min(1).max(200).optional().describe('Why, for those who ask later.') })
  .meta({ id: 'SchedulePause' });

export const backfillInput = z
  .strictObject({
    from: instant.describe('Inclusive.'),
    to: instant.describe('Inclusive; not in the future.'),
    overlap: z
      .enum(['buffer-all', 'allow-all'])
      .default('buffer-all')
      .describe('One after the other, or all at once. The firings of an allow-all schedule are all at once.'),
  })
  .refine(({ from, to }) => Date.parse(from) <= Date.parse(to), { path: ['to'], message: 'must not be before `from`' })
  .meta({ id: 'ScheduleBackfill' });

export const previewQuery = z.strictObject({
  count: z.coerce.number().int().min(1).max(100).default(20),
  after: instant.optional().describe('Now unless told otherwise.'),
});

export const previewInput = z.strictObject({ spec: scheduleSpec }).meta({ id: 'SchedulePreviewInput' });
