import { businessKey } from '../../definition/fields.ts';
import { checkLaunch } from '../../definition/launch-target.ts';
import { startPrepared } from '../../definition/prepared-start.ts';
import { hashedKey } from '../../orchestration/identity.ts';
import { schedulesName } from '../../orchestration/schedules/raw-schedule.ts';
import { Problem } from '../../problems.ts';
import { type Answer, type Call, defineOperation, type Operation, type Services } from '../operation.ts';
import { collectionPathOf } from '../representation.ts';
import { backfilled, preview, schedule, triggered } from './schedules-answers.ts';
import { backfill } from './schedules-backfills.ts';
import { seenSchedule } from './schedules-changes.ts';
import { backfillInput, pauseInput, previewInput, previewQuery, scheduleParams } from './schedules-schemas.ts';
import { askedOf, instanceOf, schedulesPath, tagOf, toPreview, toSchedule } from './schedules-views.ts';

const common = { tag: schedulesName, params: scheduleParams, dependsOn: ['orchestration'] } as const;
/** What a schedule starts may be judged by the database. */
const judging = { ...common, dependsOn: ['orchestration', 'database'] } as const;
const path = `${schedulesPath}/{name}`;

const pauseOperation = (verb: 'pause' | 'resume', summary: string): Operation =>
  defineOperation({
    ...common,
    operationId: `${verb}Schedule`,
    method: 'POST',
    path: `${path}/${verb}`,
    summary,
    permission: 'schedules:pause',
    cost: 'action',
    body: pauseInput,
    bodyIsOptional: true,
    responses: { 200: { description: 'The schedule, now so.', body: schedule, headers: ['ETag'] } },
    problems: ['not-found'],
    async handle({ principal, params: { name }, body: { reason } }, { gateway, catalog }) {
      const note = { reason, by: principal.actor.sub, at: new Date().toISOString() };
      const snapshot = await gateway.setPaused({ tenant: principal.tenant, name }, verb === 'pause', note);
      const body = toSchedule(snapshot, { principal, catalog });
      return { status: 200, body, headers: { ETag: `"${tagOf(snapshot)}"` } };
    },
  });

type Named = Pick<Call, 'principal' | 'signal' | 'idempotencyKey' | 'traceparent'> & { readonly name: string };

/**
 * Starts the instance at once, for whoever made the schedule; whoever triggers it cannot approve it either. Pauses and the
 * overlap policy are for firings alone.
 */
async function trigger(call: Named, services: Services): Promise<Answer> {
  const { name, principal, signal, traceparent } = call;
  const { gateway, catalog, countStart } = services;
  const { tenant } = principal;
  const key = `${name}.${call.idempotencyKey ?? ''}`;
  if (!businessKey.safeParse(key).success) {
    const detail =
      'With the name of the schedule and a dot before it, the key is 1 to 128 of the characters A-Z a-z 0-9 . _ : -';
    throw new Problem('invalid-key', { detail });
  }
  const { record } = await seenSchedule(name, call, services);
  const { action } = askedOf(record);
  const { definition, body, input } = checkLaunch(catalog, { ...action, key, permissions: principal.permissions });
  const id = definition.key.hashed === true ? hashedKey(key) : key;
  const { startedBy } = record.launch;
  const alsoAskedBy = [principal.actor];
  const request = { definition, tenant, key: id, body, input, startedBy, alsoAskedBy, traceparent };
  const started = await startPrepared(request, { gateway, principal, services, signal });
  countStart(definition.name, started.kind);
  if (started.kind === 'mismatch') throw new Problem('idempotency-mismatch');
  const instance = instanceOf(action, key, { principal, catalog });
  const headers = { Location: `${collectionPathOf(definition)}/${id}` };
  if (started.kind === 'unknown') throw new Problem('outcome-unknown', { cause: started.cause, headers });
  return {
    status: 202,
    body: { status: started.kind, instance },
    headers: { ...headers, 'Idempotency-Status': started.kind },
  };
}

const previewed = { 200: { description: 'The next firings.', body: preview } } as const;

/** What can be asked of a schedule, beside reading and changing it. */
export const scheduleActionOperations: readonly Operation[] = [
  pauseOperation('pause', 'Let a schedule fire no more, until it is resumed'),
  pauseOperation('resume', 'Let a paused schedule fire again; what it missed is not made up'),
  defineOperation({
    ...judging,
    operationId: 'triggerSchedule',
    method: 'POST',
    path: `${path}/trigger`,
    summary: 'Start what the schedule starts, now and once for the key',
    permission: 'schedules:trigger',
    cost: 'start',
    requires: ['idempotency-key'],
    whyRequired: 'The Idempotency-Key takes the place of the time in the key of the instance.',
    responses: {
      202: {
        description: 'The instance: `created` by this request, `joined` or `replayed`.',
        body: triggered,
        headers: ['Location', 'Idempotency-Status'],
      },
    },
    problems: [
      'not-found',
      'invalid-key',
      'idempotency-mismatch',
      'limit-reached',
      'not-configured',
      'target-not-allowed',
    ],
    handle: (call, services) => trigger({ ...call, principal: call.principal, name: call.params.name }, services),
  }),
  defineOperation({
    ...judging,
    operationId: 'backfillSchedule',
    method: 'POST',
    path: `${path}/backfill`,
    summary: 'Fire for past times as if the schedule had been there; a time that has fired does not fire again',
    permission: 'schedules:trigger',
    cost: 'action',
    body: backfillInput,
    responses: { 202: { description: 'The engine has begun with it.', body: backfilled } },
    problems: ['not-found', 'not-configured', 'target-not-allowed'],
    handle: (call, services) => backfill({ ...call, principal: call.principal, name: call.params.name }, services),
  }),
  defineOperation({
    ...common,
    operationId: 'previewSchedule',
    method: 'GET',
    path: `${path}/preview`,
    summary: 'When a schedule fires next',
    permission: 'schedules:read',
    cost: 'read',
    query: previewQuery,
    responses: previewed,
    problems: ['not-found'],
    async handle(call, services) {
      const { record } = await seenSchedule(call.params.name, call, services);
      return { status: 200, body: toPreview(askedOf(record).spec, call.query) };
    },
  }),
  defineOperation({
    tag: schedulesName,
    dependsOn: [],
    operationId: 'previewScheduleSpec',
    method: 'POST',
    path: '/v1/schedule-previews',
    summary: 'When a schedule of this spec would fire',
    permission: 'schedules:read',
    cost: 'read',
    query: previewQuery,
    body: previewInput,
    responses: previewed,
    problems: [],
    handle: ({ body, query }) => Promise.resolve({ status: 200, body: toPreview(body.spec, query) }),
  }),
];
