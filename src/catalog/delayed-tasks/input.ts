import { z } from 'zod';
import { isoDuration } from '../../definition/durations.ts';
import { businessKey } from '../../definition/fields.ts';

/** A delivered body stays under 20 kB with a payload of this size. */
const maxPayloadBytes = 16_384;
/** The schedule has ten attempts; its last delay is repeated beyond. */
const maxAttempts = 20;

const instant = z.iso.datetime({ offset: true }).max(40);

export const localTime = z
  .strictObject({
    local: z
      .string()
      .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,3})?)?$/, {
        message: 'must be a local date and time such as 2027-03-28T02:30',
      })
      .describe('A time that a zone skips becomes the later one, a time that it has twice the earlier one.'),
    zone: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+){0,3}$/, { message: 'must be a zone such as Europe/Vienna' })
      .max(64)
      .describe('The name of a zone of the IANA time zone database.'),
  })
  .meta({ id: 'LocalTime' });

const dueTime = {
  at: z
    .union([instant, localTime])
    .optional()
    .describe(
      'When the task is due: an instant, or a local time. What has passed is due at once. At most five years ahead.',
    ),
  after: isoDuration('PT0S', 'P1827D').optional(),
};

/** Whether a body says when in exactly one way. */
const isOneTime = ({ at, after }: { at?: unknown; after?: unknown }): boolean =>
  (at === undefined) !== (after === undefined);
const oneTime = { path: ['at'], message: 'exactly one of `at` and `after` is needed' };

export const rescheduling = z.strictObject(dueTime).refine(isOneTime, oneTime).meta({ id: 'DelayedTaskRescheduling' });

/** The body of an action that needs no more. */
export const nothing = z.strictObject({}).meta({ id: 'DelayedTaskNothing' });

const attemptTimeout = isoDuration('PT1S', 'PT15S').prefault('PT15S').describe('How long one attempt may take in all.');

const webhook = z
  .union([
    z.strictObject({
      url: z.string().min(1).max(2_048).describe('Where to POST.'),
      secretId: businessKey.optional().describe('The endpoint whose secrets sign. Without it nothing signs.'),
      timeout: attemptTimeout,
    }),
    z.strictObject({ endpoint: businessKey.describe('An endpoint of `/v1/endpoints`.'), timeout: attemptTimeout }),
  ])
  .meta({ id: 'DelayedTaskWebhook' });

const queue = z.strictObject({ name: z.string().min(1).max(255) }).meta({ id: 'DelayedTaskQueue' });

const target = z
  .strictObject({
    name: z.string().min(1).max(64).describe('A process, such as `transfers`.'),
    version: z.int().min(1).optional().describe('Of its contract; the newest unless told otherwise.'),
    input: z
      .record(z.string(), z.json())
      .describe('The body of its start, validated now. Its key field may be left out: then the task has a key for it.'),
  })
  .meta({ id: 'DelayedTaskProcess' });

const deliver = z
  .union([z.strictObject({ webhook }), z.strictObject({ queue }), z.strictObject({ process: target })])
  .meta({ id: 'DelayedTaskDelivery' });

const retry = z
  .strictObject({
    maxAttempts: z.int().min(1).max(maxAttempts).optional().describe('Attempts before the task is a dead letter.'),
    delays: z
      .array(isoDuration('PT1S', 'P1D'))
      .min(1)
      .max(maxAttempts - 1)
      .optional()
      .describe('The pauses between attempts, in place of the usual ones. The last one is repeated.'),
  })
  .meta({ id: 'DelayedTaskRetry' });

export const delayedTaskInput = z
  .strictObject({
    ...dueTime,
    deliver,
    payload: z
      .json()
      .optional()
      .refine((payload) => Buffer.byteLength(JSON.stringify(payload ?? null)) <= maxPayloadBytes, {
        message: 'must be at most 16,384 bytes of JSON',
      })
      .describe('What a webhook or a queue gets. A process gets its `input` alone.'),
    expiresAt: instant.optional().describe('No attempt begins at this time or later.'),
    retry: retry.optional(),
  })
  .refine(isOneTime, oneTime)
  .refine((input) => !('process' in input.deliver && input.payload !== undefined), {
    path: ['payload'],
    message: 'is for webhooks and queues; a process gets its input',
  })
  .meta({ id: 'DelayedTaskInput' });

export type DelayedTaskInput = z.output<typeof delayedTaskInput>;
export type Rescheduling = z.output<typeof rescheduling>;
export type Nothing = z.output<typeof nothing>;
