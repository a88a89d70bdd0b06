import { z } from 'zod';
import { actor } from '../../definition/fields.ts';
import { overlap, replacement, scheduleName, scheduleSpec } from './schedules-schemas.ts';

const time = z.iso.datetime();

export const preview = z
  .object({
    items: z.array(
      z.object({
        at: time,
        local: z.string().describe('The same instant as clocks in the zone show it, with its offset.'),
      }),
    ),
  })
  .meta({ id: 'SchedulePreview', description: 'The next firings, before jitter.' });

const firing = z
  .object({
    scheduledAt: time.describe('The nominal time, which the key of the instance ends in.'),
    firedAt: time,
    state: z
      .enum(['running', 'ended', 'failed'])
      .optional()
      .describe(
        '`failed`: nothing could be started, or the instance failed. Absent where it is not followed: with allow-all, and in lists before the end.',
      ),
    instance: z
      .object({ process: z.string(), id: z.string(), href: z.string().optional() })
      .optional()
      .describe('Absent in lists, and for firings before the last replacement.'),
  })
  .meta({ id: 'ScheduleFiring' });

const summary = {
  name: scheduleName,
  state: z.enum(['active', 'paused', 'exhausted']).describe('`exhausted`: no firing is left.'),
  note: z
    .object({ reason: z.string().optional(), by: z.string().optional(), at: time.optional() })
    .optional()
    .describe('Of the last pause or resume.'),
  next: z.array(time),
  firings: z
    .array(firing)
    .describe('The last ones, the newest first. Instances that were triggered are not among them.'),
};

export const schedule = z
  .object({
    ...summary,
    spec: scheduleSpec,
    action: replacement.action
      .partial({ input: true })
      .meta({ id: 'ShownScheduleAction', description: 'With its input for those who may read what it starts.' }),
    overlap,
    catchUpSeconds: z.int(),
    pauseOnFailure: z.boolean(),
    counts: z.object({
      fired: z.int(),
      missed: z.int().describe('Firings that came too late for the catch-up window.'),
      skipped: z.int().describe('Firings that an earlier instance kept from starting.'),
      dropped: z.int().describe('Firings for which there was no room to wait.'),
      buffered: z.int().describe('Firings that wait for an earlier instance to close.'),
    }),
    createdBy: actor,
    createdAt: time,
    replacedBy: actor.optional(),
    replacedAt: time.optional(),
    links: z.record(z.string(), z.object({ href: z.string(), method: z.string() })),
  })
  .meta({ id: 'Schedule' });

export const schedulePage = z
  .object({ items: z.array(z.object(summary).meta({ id: 'ScheduleItem' })), cursor: z.string().optional() })
  .meta({
    id: 'SchedulePage',
    description: 'Go on with `cursor` while there is one. A new one is shown within seconds.',
  });

export const triggered = z
  .object({
    status: z.enum(['created', 'joined', 'replayed']),
    instance: z.object({ process: z.string(), id: z.string(), href: z.string().optional() }),
  })
  .meta({ id: 'ScheduleTriggered' });

export const backfilled = z.object({ firings: z.int(), from: time, to: time }).meta({ id: 'ScheduleBackfilled' });
