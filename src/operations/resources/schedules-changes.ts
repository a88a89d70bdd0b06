import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { scheduleSettings } from '../../config/schedule-settings.ts';
import type { Actor } from '../../definition/envelope.ts';
import { fingerprintOf } from '../../orchestration/identity.ts';
import { type ScheduleRecord, schedulesName } from '../../orchestration/schedules/raw-schedule.ts';
import type { ScheduleSnapshot } from '../../orchestration/schedules/snapshot.ts';
import { Problem } from '../../problems.ts';
import type { TagCondition } from '../carried.ts';
import type { Answer, Call, Services } from '../operation.ts';
import { judge, ruleOf } from './schedules-rules.ts';
import type { scheduleInput, ScheduleReplacement } from './schedules-schemas.ts';
import { schedulesPath, tagOf, toSchedule } from './schedules-views.ts';

type Asking = Pick<Call, 'principal' | 'signal'>;

/** The schedule as the caller sees it, with its tag. */
export const answerWith = (
  status: number,
  snapshot: ScheduleSnapshot,
  { principal }: Asking,
  { catalog }: Services,
): Answer => ({
  status,
  body: toSchedule(snapshot, { principal, catalog }),
  headers: { ETag: `"${tagOf(snapshot)}"` },
});

/** How many of the last revisions a schedule keeps. */
export const maxRevisions = 16;

/** The schedule of the caller's own tenant. Throws `not-found`. */
export async function seenSchedule(
  name: string,
  { principal, signal }: Asking,
  { gateway }: Services,
): Promise<ScheduleSnapshot> {
  const snapshot = await gateway.describeSchedule({ tenant: principal.tenant, name }, signal);
  if (snapshot === undefined) throw new Problem('not-found');
  return snapshot;
}

function recordOf(
  { tenant, name, by }: { tenant: string; name: string; by: Actor },
  asked: ScheduleReplacement,
  earlier?: ScheduleRecord,
): ScheduleRecord {
  const now = new Date().toISOString();
  const { action, overlap, catchUpSeconds } = asked;
  return {
    launch: {
      tenant,
      schedule: name,
      ...action,
      startedBy: by,
      waits: overlap !== 'allow-all',
      catchUpMs: catchUpSeconds * 1_000,
      // Firings that wait since before a replacement get its launch.
      ...(earlier?.launch.backfills === undefined ? {} : { backfills: earlier.launch.backfills }),
    },
    asked,
    revisions: [randomUUID(), ...(earlier?.revisions ?? [])].slice(0, maxRevisions),
    createdBy: earlier?.createdBy ?? by,
    createdAt: earlier?.createdAt ?? now,
    ...(earlier === undefined ? {} : { replacedBy: by, replacedAt: now }),
  };
}

type CreateCall = Asking & { readonly body: z.output<typeof scheduleInput>; readonly rawBody: unknown };

/** Creates a schedule. A repeated request gets its first answer, also where a limit would refuse it now. */
export async function createOnce(call: CreateCall, services: Services): Promise<Answer> {
  const { body, principal, rawBody, signal } = call;
  const { name, ...asked } = body;
  const { tenant, actor: by } = principal;
  const fingerprint = fingerprintOf({ tenant, process: schedulesName, body: rawBody });
  try {
    await judge(name, asked, call, services);
    await checkLimit(tenant, services, signal);
  } catch (error) {
    if (!(error instanceof Problem) || error.code === 'forbidden') throw error;
    return await replay(name, fingerprint, call, services, error);
  }
  const record = recordOf({ tenant, name, by }, asked);
  const created = await services.gateway.createSchedule(
    { tenant, name, rule: ruleOf(asked), record, fingerprint },
    signal,
  );
  // Deleted between the two calls: a repetition creates it.
  if (created.kind === 'exists')
    return replay(name, fingerprint, call, services, new Problem('orchestration-unavailable'));
  const counts = { fired: 0, missed: 0, skipped: 0, dropped: 0, buffered: 0 };
  const fresh = {
    name,
    tenant,
    record,
    fingerprint,
    token: created.token,
    isPaused: false,
    note: {},
    firings: [],
    counts,
  };
  const answer = answerWith(201, fresh, call, services);
  return { ...answer, headers: { ...answer.headers, Location: `${schedulesPath}/${name}` } };
}

async function replay(
  name: string,
  fingerprint: string,
  call: Asking,
  services: Services,
  otherwise: Problem,
): Promise<Answer> {
  const existing = await services.gateway.describeSchedule({ tenant: call.principal.tenant, name }, call.signal);
  if (existing === undefined) throw otherwise;
  if (existing.fingerprint !== fingerprint) throw new Problem('idempotency-mismatch');
  return answerWith(200, existing, call, services);
}

async function checkLimit(tenant: string, { gateway, settingsOf }: Services, signal: AbortSignal): Promise<void> {
  const { limit } = settingsOf(scheduleSettings);
  if ((await gateway.countSchedules(tenant, signal)) >= limit) throw new Problem('limit-reached');
}

const fits = (condition: TagCondition, seen: ScheduleSnapshot): boolean =>
  condition === '*' || condition.some(({ value, isWeak }) => !isWeak && value === tagOf(seen));

const maxTurns = 5;

type ReplaceCall = Asking & Pick<Call, 'ifMatch'> & { readonly name: string; readonly asked: ScheduleReplacement };

/** Replaces a schedule as the caller saw it. Throws `precondition-failed` where it was changed since. */
export async function replaceSeen(call: ReplaceCall, services: Services): Promise<Answer> {
  const { asked, ifMatch, name, principal } = call;
  const { tenant, actor: by } = principal;
  if (ifMatch === undefined) {
    const message = 'is needed: the ETag of the schedule as it was seen, or * to replace it whatever it is';
    throw new Problem('invalid-request', {
      detail: 'A header is missing.',
      errors: [{ parameter: 'If-Match', message }],
    });
  }
  for (let turn = 1; ; turn += 1) {
    const seen = await seenSchedule(name, call, services);
    if (!fits(ifMatch, seen)) throw new Problem('precondition-failed');
    if (turn === 1) await judge(name, asked, call, services);
    const record = recordOf({ tenant, name, by }, asked, seen.record);
    const replaced = await services.gateway.replaceSchedule({ tenant, name, rule: ruleOf(asked), record }, seen);
    if (replaced.kind === 'replaced') return answerWith(200, replaced.snapshot, call, services);
    if (ifMatch !== '*' || turn === maxTurns) throw new Problem('precondition-failed');
  }
}
