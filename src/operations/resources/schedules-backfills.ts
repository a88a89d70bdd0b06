import { randomUUID } from 'node:crypto';
import { scheduleSettings } from '../../config/schedule-settings.ts';
import type { Actor } from '../../definition/envelope.ts';
import type { Backfilled } from '../../definition/scheduled-launch.ts';
import type { ScheduleRecord } from '../../orchestration/schedules/raw-schedule.ts';
import type { ScheduleSnapshot } from '../../orchestration/schedules/snapshot.ts';
import { lastBeginMs, nextFirings } from '../../orchestration/schedules/timetable.ts';
import { Problem } from '../../problems.ts';
import type { Answer, Call, Services } from '../operation.ts';
import { maxRevisions, seenSchedule } from './schedules-changes.ts';
import { judgeAction, ruleOf, timetableOf } from './schedules-rules.ts';
import type { ScheduleSpec } from './schedules-schemas.ts';
import { askedOf } from './schedules-views.ts';

type Backfill = Pick<Call, 'principal' | 'signal'> & {
  readonly name: string;
  readonly body: { readonly from: string; readonly to: string; readonly overlap: 'buffer-all' | 'allow-all' };
};

interface Range {
  readonly fromMs: number;
  readonly untilMs: number;
}

const maxTurns = 5;

/**
 * Lets a schedule fire for past times. Who asked for that is written into the schedule first, so that each of these
 * firings knows it: such a person cannot approve what they start.
 */
export async function backfill({ body, ...call }: Backfill, services: Services): Promise<Answer> {
  const { name, principal } = call;
  const { gateway, settingsOf } = services;
  const { tenant, actor: by } = principal;
  const range = { fromMs: Date.parse(body.from), untilMs: Date.parse(body.to) };
  if (range.untilMs > Date.now()) throw refused('must not be in the future');
  for (let turn = 1; turn <= maxTurns; turn += 1) {
    const seen = await seenSchedule(name, call, services);
    const { action, spec, overlap } = askedOf(seen.record);
    await judgeAction(name, action, call, services);
    const firings = firingsIn(spec, range, settingsOf(scheduleSettings).backfillLimit);
    if (firings.times.length > 0) {
      if (!(await isRemembered({ seen, tenant, by, range }, services))) continue;
      const policy = overlap === 'allow-all' ? overlap : body.overlap;
      await gateway.backfillSchedule({ tenant, name }, { ...firings, fromMs: range.fromMs, overlap: policy });
    }
    const [from, to] = [range.fromMs, range.untilMs].map((ms) => new Date(ms).toISOString());
    return { status: 202, body: { firings: firings.times.length, from, to } };
  }
  throw new Problem('orchestration-unavailable', { detail: 'The schedule is being changed.' });
}

/** The nominal times in a range, and the last instant at which one of them begins. */
function firingsIn(spec: ScheduleSpec, { fromMs, untilMs }: Range, limit: number) {
  const timetable = timetableOf(spec);
  const last = Math.min(untilMs, timetable.untilMs ?? Infinity);
  const times = nextFirings({ ...timetable, untilMs: last }, fromMs - 1, limit + 1);
  if (times.length > limit) throw refused(`takes in more than ${limit} firings: ask for less at once`);
  return { times, untilMs: lastBeginMs(timetable, untilMs, spec.jitterSeconds * 1_000) };
}

interface Remembering {
  readonly seen: ScheduleSnapshot;
  readonly tenant: string;
  readonly by: Actor;
  readonly range: Range;
}

/** Writes into the schedule who backfills. False where somebody else changed the schedule at the same time. */
async function isRemembered(
  { seen, tenant, by, range }: Remembering,
  { gateway }: Pick<Services, 'gateway'>,
): Promise<boolean> {
  const backfills = withPerson(seen.record.launch.backfills ?? [], { by, ...range });
  if (backfills === undefined) return true;
  const record: ScheduleRecord = {
    ...seen.record,
    launch: { ...seen.record.launch, backfills },
    revisions: [randomUUID(), ...seen.record.revisions].slice(0, maxRevisions),
  };
  const rule = ruleOf(askedOf(seen.record));
  const { kind } = await gateway.replaceSchedule({ tenant, name: seen.name, rule, record }, seen);
  return kind === 'replaced';
}

const maxPersons = 50;

/** Undefined where nothing is new. Each person has one entry, from the first instant to the last one asked for. */
function withPerson(backfills: readonly Backfilled[], asked: Backfilled): readonly Backfilled[] | undefined {
  const isSame = ({ by }: Backfilled) => by.iss === asked.by.iss && by.sub === asked.by.sub;
  const own = backfills.find(isSame) ?? asked;
  const others = backfills.filter((each) => !isSame(each));
  if (others.length >= maxPersons) {
    const detail = `A schedule remembers ${maxPersons} persons who backfilled it, and none may be forgotten.`;
    throw new Problem('limit-reached', { detail });
  }
  const [fromMs, untilMs] = [Math.min(own.fromMs, asked.fromMs), Math.max(own.untilMs, asked.untilMs)];
  const isKnown = others.length < backfills.length && fromMs === own.fromMs && untilMs === own.untilMs;
  return isKnown ? undefined : [...others, { by: asked.by, fromMs, untilMs }];
}

const refused = (message: string): Problem =>
  new Problem('invalid-request', { detail: 'The range does not fit.', errors: [{ pointer: '/to', message }] });
