import { z } from 'zod';
import type * as workflows from '../../workflows/user-grants.ts';
import { defineProcess } from '../definition/define-process.ts';
import { startOn } from '../definition/events.ts';
import { businessKey, calendarDate } from '../definition/fields.ts';

export const userGrantInput = z
  .strictObject({
    userId: businessKey.describe('The business key: one grant for each user.'),
    name: z.string().min(1).max(200),
    birthDate: calendarDate.optional().describe('Adults get one discount more.'),
    locale: z
      .string()
      .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$/, { message: 'must be a language tag such as en or de-AT' })
      .optional(),
  })
  .meta({ id: 'UserGrantInput' });

const givenBefore =
  'The kinds known to have been given before the cancel. The step that the cancel met may have been given as well.';

export const userGrantOutput = z
  .discriminatedUnion('outcome', [
    z
      .object({
        outcome: z.literal('completed'),
        userId: businessKey,
        messages: z.array(z.string()).describe('The kinds of message sent, in order.'),
        discounts: z.array(z.string()).describe('The kinds of discount granted, in order.'),
      })
      .meta({ id: 'UserGrantCompleted' }),
    z
      .object({
        outcome: z.literal('cancelled'),
        userId: businessKey,
        // Grants that an earlier release ended say nothing of this.
        messages: z.array(z.string()).optional().describe(givenBefore),
        discounts: z.array(z.string()).optional().describe(givenBefore),
      })
      .meta({ id: 'UserGrantCancelled' }),
  ])
  .meta({ id: 'UserGrantResult' });

export type UserGrantInput = z.output<typeof userGrantInput>;
export type UserGrantOutput = z.output<typeof userGrantOutput>;

export const userGrantsV1 = defineProcess<typeof workflows>()({
  name: 'user-grants',
  version: 1,
  collection: 'user-grants',
  singular: 'user-grant',
  summary: 'Welcome a user: push messages and discounts, each exactly once',
  description: 'Congratulates the user, adds the step for adults, and grants the welcome discount.',
  effects: 'one row per user, generation and kind in the inbox and among the discounts',
  workflow: 'userGrants',
  taskQueue: 'people',
  key: { from: 'body', field: 'userId' },
  input: userGrantInput,
  output: userGrantOutput,
  events: [
    startOn({
      type: 'portico.user.created',
      summary: 'A user was created, and is welcomed',
      // What else the service tells of a user is for others.
      data: z.object(userGrantInput.shape).meta({ id: 'UserCreatedData' }),
      starts: (data) => data,
    }),
  ],
  steps: {
    congratulating: { label: 'Sending the push message', next: ['congratulating-adult', 'granting', 'end'] },
    'congratulating-adult': { label: 'Granting what adults get', next: ['granting', 'end'] },
    granting: { label: 'Granting the welcome discount', next: ['end'] },
  },
});
