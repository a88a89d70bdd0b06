import { z } from 'zod';
import { schedulesName } from '../../orchestration/schedules/raw-schedule.ts';
import { defineOperation, type Operation } from '../operation.ts';
import { schedule, schedulePage } from './schedules-answers.ts';
import { answerWith, createOnce, replaceSeen, seenSchedule } from './schedules-changes.ts';
import { scheduleInput, scheduleParams, scheduleReplacement } from './schedules-schemas.ts';
import { schedulesPath, toScheduleItem } from './schedules-views.ts';

const common = { tag: schedulesName, dependsOn: ['orchestration'] } as const;
/** What a schedule starts may be judged by the database. */
const judging = { tag: schedulesName, dependsOn: ['orchestration', 'database'] } as const;
const maxBodyBytes = 16_384;
const path = `${schedulesPath}/{name}`;

const one = { 200: { description: 'The schedule.', body: schedule, headers: ['ETag'] } } as const;

/** Schedules are no process: each firing starts an instance of one. */
export const scheduleOperations: readonly Operation[] = [
  defineOperation({
    ...judging,
    operationId: 'createSchedule',
    method: 'POST',
    path: schedulesPath,
    summary: 'Start a process again and again, at times that a spec names',
    permission: 'schedules:write',
    cost: 'action',
    body: scheduleInput,
    maxBodyBytes,
    responses: {
      200: {
        description: 'It was created before with the same body; as it is now.',
        body: schedule,
        headers: ['ETag'],
      },
      201: { description: 'Created.', body: schedule, headers: ['Location', 'ETag'] },
    },
    problems: ['idempotency-mismatch', 'limit-reached', 'not-configured', 'target-not-allowed'],
    handle: createOnce,
  }),
  defineOperation({
    ...common,
    operationId: 'listSchedules',
    method: 'GET',
    path: schedulesPath,
    summary: 'The schedules of the tenant',
    permission: 'schedules:read',
    cost: 'list',
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(100).default(20),
      cursor: z.string().max(4_096).optional().describe('The `cursor` of the page before.'),
    }),
    responses: { 200: { description: 'One page.', body: schedulePage } },
    problems: ['invalid-cursor'],
    async handle({ principal: { tenant }, query, signal }, { gateway }) {
      const { items, cursor } = await gateway.listSchedules({ tenant, ...query }, signal);
      return { status: 200, body: { items: items.map(toScheduleItem), ...(cursor === undefined ? {} : { cursor }) } };
    },
  }),
  defineOperation({
    ...common,
    operationId: 'getSchedule',
    method: 'GET',
    path,
    summary: 'A schedule with its next and last firings',
    permission: 'schedules:read',
    cost: 'read',
    params: scheduleParams,
    responses: one,
    problems: ['not-found'],
    handle: async (call, services) =>
      answerWith(200, await seenSchedule(call.params.name, call, services), call, services),
  }),
  defineOperation({
    ...judging,
    operationId: 'replaceSchedule',
    method: 'PUT',
    path,
    summary: 'Replace a schedule, unless somebody else changed it; whoever does starts its instances from then on',
    permission: 'schedules:write',
    cost: 'action',
    params: scheduleParams,
    body: scheduleReplacement,
    maxBodyBytes,
    understands: ['if-match'],
    responses: one,
    problems: ['not-found', 'precondition-failed', 'not-configured', 'target-not-allowed'],
    handle: (call, services) =>
      replaceSeen({ ...call, principal: call.principal, name: call.params.name, asked: call.body }, services),
  }),
  defineOperation({
    ...common,
    operationId: 'deleteSchedule',
    method: 'DELETE',
    path,
    summary: 'End a schedule; instances that it started go on',
    permission: 'schedules:write',
    cost: 'action',
    params: scheduleParams,
    responses: { 204: { description: 'It is gone.' } },
    problems: ['not-found'],
    async handle({ principal: { tenant }, params: { name }, signal }, { gateway }) {
      await gateway.deleteSchedule({ tenant, name }, signal);
      return { status: 204 };
    },
  }),
];
