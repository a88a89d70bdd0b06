import { z } from 'zod';
import type * as workflows from '../../workflows/delayed-tasks.ts';
import { defineProcess } from '../definition/define-process.ts';
import { businessKey } from '../definition/fields.ts';
import { delayedTaskDetails } from './delayed-tasks/details.ts';
import { delayedTaskInput, nothing, rescheduling } from './delayed-tasks/input.ts';
import { admitRescheduling, admitRunNow, prepareDelayedTask } from './delayed-tasks/judging.ts';
import { delayedTaskSettings, openLimit } from './delayed-tasks/settings.ts';

const ended = { attempts: z.int().describe('Attempts in all, also those that were cut off.') };
const reason = z.string().describe('A word such as `timeout`, or the code of a problem.');

export const delayedTaskOutput = z
  .discriminatedUnion('outcome', [
    z
      .object({
        ...ended,
        outcome: z.literal('delivered'),
        deliveredAt: z.iso.datetime(),
        status: z.int().optional().describe('The status that the receiver of a webhook answered with.'),
        started: z
          .object({ process: z.string(), id: businessKey })
          .optional()
          .describe('The instance that was started.'),
      })
      .meta({ id: 'DelayedTaskDelivered' }),
    z
      .object({
        ...ended,
        outcome: z.literal('cancelled'),
        by: z.string().optional().describe('The subject of whoever cancelled first.'),
      })
      .meta({ id: 'DelayedTaskCancelled' }),
    z.object({ ...ended, outcome: z.literal('expired') }).meta({ id: 'DelayedTaskExpired' }),
    z
      .object({ ...ended, outcome: z.literal('dead'), reason, status: z.int().optional() })
      .meta({ id: 'DelayedTaskDead' }),
  ])
  .meta({ id: 'DelayedTaskResult' });

const delivery = z
  .object({
    number: z.int(),
    at: z.iso.datetime(),
    result: z
      .enum(['delivered', 'failed', 'dead', 'lost'])
      .describe('`lost`: the worker was gone before it said how the attempt ended. The receiver may have got it.'),
    status: z.int().optional(),
    reason: reason.optional(),
  })
  .meta({ id: 'DelayedTaskAttempt' });

export const deliveries = z
  .object({
    deliveryId: z
      .string()
      .describe('The `webhook-id` and the message id of every attempt; absent before the first.')
      .optional(),
    attempts: z.array(delivery).describe('The last fifty, the newest first.'),
    total: z.int(),
    nextAttemptAt: z.iso.datetime().optional(),
  })
  .meta({ id: 'DelayedTaskDeliveries' });

export const rescheduled = z.object({ dueAt: z.iso.datetime() }).meta({ id: 'DelayedTaskRescheduled' });
export const accepted = z.object({ accepted: z.literal(true) }).meta({ id: 'DelayedTaskAccepted' });

export type { DelayedTaskInput, Nothing, Rescheduling } from './delayed-tasks/input.ts';
export type { Admitted } from './delayed-tasks/judging.ts';
export type { DelayedTaskDetails } from './delayed-tasks/details.ts';
export type DelayedTaskOutput = z.output<typeof delayedTaskOutput>;
export type DelayedTaskAttempt = z.output<typeof delivery>;
export type Deliveries = z.output<typeof deliveries>;
export type Rescheduled = z.output<typeof rescheduled>;
export type Accepted = z.output<typeof accepted>;

export const delayedTasksV1 = defineProcess<typeof workflows>()({
  name: 'delayed-tasks',
  version: 1,
  collection: 'delayed-tasks',
  singular: 'delayed-task',
  summary: 'Deliver something later: to a webhook, to a queue, or as the start of a process',
  description: 'Waits until the task is due, delivers it at least once, and retries by a schedule.',
  effects: 'deliveries, at least once, under one id',
  workflow: 'delayedTasks',
  taskQueue: 'people',
  hasDeliveries: true,
  key: { from: 'header' },
  input: delayedTaskInput,
  maxBodyBytes: 32_768,
  output: delayedTaskOutput,
  details: delayedTaskDetails,
  prepare: prepareDelayedTask,
  openLimit,
  refusals: ['limit-reached', 'not-configured', 'target-not-allowed', 'database-unavailable'],
  settings: delayedTaskSettings,
  steps: {
    waiting: {
      label: 'Waiting until it is due',
      actions: ['reschedule', 'run-now', 'cancel'],
      next: ['delivering', 'end'],
    },
    delivering: { label: 'Being delivered', actions: ['cancel'], next: ['retrying', 'dead-letter', 'end'] },
    retrying: {
      label: 'Waiting for the next attempt',
      actions: ['run-now', 'cancel'],
      next: ['delivering', 'end'],
    },
    'dead-letter': {
      label: 'Every attempt has failed',
      waitsFor: 'redeliver, or cancel',
      actions: ['redeliver', 'cancel'],
      next: ['delivering', 'end'],
    },
  },
  actions: {
    reschedule: {
      summary: 'Make the task due at another time, before its first attempt',
      input: rescheduling,
      output: rescheduled,
      repetition: 'each',
      admit: admitRescheduling,
    },
    'run-now': {
      summary: 'Begin the next attempt now',
      input: nothing,
      output: accepted,
      repetition: 'each',
      admit: admitRunNow,
    },
    cancel: {
      summary: 'Call the task off unless it is delivered',
      input: nothing,
      output: accepted,
      repetition: 'once',
    },
    redeliver: {
      summary: 'Deliver a dead letter again, with all attempts anew',
      input: nothing,
      output: accepted,
      repetition: 'each',
      admit: admitRunNow,
    },
  },
  views: { deliveries: { summary: 'The attempts to deliver the task', output: deliveries } },
});
