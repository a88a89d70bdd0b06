import { randomUUID } from 'node:crypto';
import { Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ruleOf, timetableOf } from '../../src/operations/resources/schedules-rules.ts';
import {
  scheduleReplacement,
  type ScheduleSpec,
  scheduleSpec,
} from '../../src/operations/resources/schedules-schemas.ts';
import { calendarOf, calendarOfCron, valuesOf } from '../../src/orchestration/schedules/calendar.ts';
import { toRawSchedule } from '../../src/orchestration/schedules/raw-schedule.ts';
import { nextFirings, shortestGapMs, type Timetable } from '../../src/orchestration/schedules/timetable.ts';
import { zoneOf } from '../../src/orchestration/schedules/zone.ts';
import { unique } from '../harness/portico.ts';
import { temporalAddress } from '../servers/temporal.ts';

function timetable(zoneName: string, crons: readonly string[], intervals: Timetable['intervals'] = []): Timetable {
  const zone = zoneOf(zoneName);
  if (zone === undefined) throw new Error(`there is no zone ${zoneName}`);
  const calendars = crons.map((text) => calendarOfCron(text)).filter((each) => each !== undefined);
  if (calendars.length < crons.length) throw new Error('a cron text does not fit');
  return { zone, calendars, intervals };
}

const texts = (times: readonly number[]): string[] => times.map((ms) => new Date(ms).toISOString().slice(0, 16));
const firings = (zone: string, cron: string, after: string, count: number): string[] =>
  texts(nextFirings(timetable(zone, [cron]), Date.parse(after), count));

describe('the times of a schedule', () => {
  it('leave out a local time that the clock skips', () => {
    expect(firings('Europe/Vienna', '30 2 * * *', '2026-03-27T12:00:00Z', 3)).toEqual([
      '2026-03-28T01:30',
      '2026-03-30T00:30',
      '2026-03-31T00:30',
    ]);
  });

  it('have a local time that comes twice as the engine has it', () => {
    expect(firings('Europe/Vienna', '30 2 * * *', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T01:30',
      '2026-10-26T01:30',
    ]);
    expect(firings('America/New_York', '30 1 * * *', '2026-10-31T12:00:00Z', 3)).toEqual([
      '2026-11-01T05:30',
      '2026-11-01T06:30',
      '2026-11-02T06:30',
    ]);
  });

  it('are the union of what is named, each once, within its bounds', () => {
    const union = {
      ...timetable('UTC', ['0 12 * * *', '0 12 * * mon'], [{ everyMs: 86_400_000, offsetMs: 43_200_000 }]),
      fromMs: Date.parse('2026-01-05T12:00:00Z'),
      untilMs: Date.parse('2026-01-06T12:00:00Z'),
    };
    expect(texts(nextFirings(union, 0, 10))).toEqual(['2026-01-05T12:00', '2026-01-06T12:00']);
    const close = timetable('UTC', ['0 * * * *'], [{ everyMs: 3_600_000, offsetMs: 5_000 }]);
    expect(shortestGapMs(close, Date.now())).toBe(5_000);
    expect(shortestGapMs(timetable('UTC', ['0 0 31 2 *']), 0)).toBe(Infinity);
  });
});

it('the times of a schedule are found though some of its calendars never match', () => {
  const never = calendarOf({ dayOfMonth: '31', month: '2,4,6,9,11' });
  const spec = timetable('UTC', [], [{ everyMs: 10_000, offsetMs: 0 }]);
  const calendars = Array.from({ length: 20 }, () => never).filter((each) => each !== undefined);
  const before = process.cpuUsage();
  expect(shortestGapMs({ ...spec, calendars }, Date.now())).toBe(10_000);
  // Each of a thousand firings looked through the century twenty times: half a minute.
  expect(process.cpuUsage(before).user / 1_000).toBeLessThan(5_000);
});

describe('an expression of a calendar', () => {
  it('names values, ranges, steps and words', () => {
    expect(valuesOf('dayOfWeek', 'fri-7')).toEqual([0, 5, 6]);
    expect(valuesOf('month', 'jan,December')).toEqual([1, 12]);
    expect(valuesOf('hour', '3/5,1-4/3')).toEqual([1, 3, 4, 8, 13, 18, 23]);
  });

  it.each(['', '5-', '-5', '5-3', '*/0', '1/2/3', '60', '1.5', '*-3', ' 1', 'x'])('is refused as %j', (text) => {
    expect(valuesOf('minute', text)).toBeUndefined();
  });

  it.each(['* * * *', '* * * * * *', 'TZ=UTC * * * * *', '@every 5m', '@reboot'])(
    'makes no cron text of %j',
    (text) => {
      expect(calendarOfCron(text)).toBeUndefined();
    },
  );
});

describe('the engine', () => {
  let connection: Connection;
  beforeAll(async () => {
    connection = await Connection.connect({ address: temporalAddress() });
  });
  afterAll(() => connection.close());

  /** What Temporal itself says, in a stretch of time, about a spec as Portico translates it. */
  async function askedOfEngine(spec: ScheduleSpec, from: number, to: number): Promise<number[]> {
    const { workflowService } = connection;
    const named = { namespace: 'default', scheduleId: unique('times') };
    const asked = scheduleReplacement.parse({ spec, action: { process: 'none', input: {} } });
    const by = { iss: 'https://issuer.test', sub: 'sam' };
    const launch = {
      tenant: unique('tenant'),
      schedule: 's',
      ...asked.action,
      startedBy: by,
      waits: true,
      catchUpMs: 0,
    };
    const record = { launch, asked, revisions: [], createdBy: by, createdAt: new Date().toISOString() };
    const state = { paused: true };
    const schedule = await toRawSchedule({ rule: ruleOf(asked), record, state, taskQueue: 'none' });
    await workflowService.createSchedule({ ...named, schedule, requestId: randomUUID() });
    const at = (ms: number) => ({ seconds: Math.floor(ms / 1_000) as never, nanos: 0 });
    const range = { ...named, startTime: at(from), endTime: at(to) };
    const { startTime } = await workflowService.listScheduleMatchingTimes(range);
    await workflowService.deleteSchedule(named);
    return startTime.map(({ seconds }) => Number(seconds) * 1_000);
  }

  it('begins no second before a schedule does', async () => {
    const from = '2026-01-05T12:00:00.500Z';
    const spec = scheduleSpec.parse({ intervals: [{ everySeconds: 1 }], from });
    const aroundMs = Date.parse(from);
    const engine = await askedOfEngine(spec, aroundMs - 5_000, aroundMs + 5_000);
    expect(engine[0]).toBe(Date.parse('2026-01-05T12:00:01Z'));
    expect(nextFirings(timetableOf(spec), 0, engine.length)).toEqual(engine);
  });

  it('fires for calendars and intervals together as we say, about a change of the clock', async () => {
    const spec = scheduleSpec.parse({
      zone: 'Europe/Vienna',
      cron: ['30 2 * * *'],
      calendars: [
        { second: '7,30-50/10', minute: '*/20', hour: '1-4', year: '2026-2027' },
        { hour: '2', minute: '15', dayOfWeek: 'fri-7' },
        { dayOfMonth: '29', month: 'feb' },
      ],
      intervals: [{ everySeconds: 2_400, offsetSeconds: 61 }],
      until: '2026-10-26T12:00:00Z',
    });
    for (const from of ['2026-03-28T12:00:00Z', '2026-10-24T12:00:00Z']) {
      const fromMs = Date.parse(from);
      const toMs = fromMs + 3 * 86_400_000;
      const engine = await askedOfEngine(spec, fromMs, toMs);
      const ours = nextFirings(timetableOf(spec), fromMs, 1_000).filter((ms) => ms <= toMs);
      expect(ours).toEqual(engine);
      expect(ours.length).toBeGreaterThan(100);
    }
  });

  it.each([
    ['Europe/Vienna', '*/15 1-3 * * *', '2026-03-28T00:00:00Z'],
    ['Europe/Vienna', '*/15 1-3 * * *', '2026-10-24T00:00:00Z'],
    ['America/New_York', '0,30 0-3 * * *', '2026-10-31T00:00:00Z'],
    ['Australia/Lord_Howe', '*/10 1-3 * * *', '2026-04-03T00:00:00Z'],
    ['America/Santiago', '0 1 * * sat', '2026-09-05T00:00:00Z'],
    ['America/Havana', '0 1,9 * * sun,mon', '2026-03-07T00:00:00Z'],
    ['Asia/Kolkata', '30 9 1-7 * mon-fri', '2026-01-01T00:00:00Z'],
    ['UTC', '0 0 29 2 *', '2026-01-01T00:00:00Z'],
  ])('fires in %s for %s as we say', async (zone, cron, from) => {
    const fromMs = Date.parse(from);
    const toMs = cron.includes('29 2') ? Date.parse('2040-01-01T00:00:00Z') : fromMs + 3 * 86_400_000;
    const engine = await askedOfEngine(scheduleSpec.parse({ cron: [cron], zone }), fromMs - 1_000, toMs);
    const ours = nextFirings({ ...timetable(zone, [cron]), untilMs: toMs }, fromMs - 1_000, 1_000);
    expect(texts(ours)).toEqual(texts(engine));
    expect(ours.length).toBeGreaterThan(1);
  });
});

it('knows the zones of the database of zones by their names alone', () => {
  expect(['Europe/Vienna', 'UTC', 'Etc/GMT+1'].map((name) => zoneOf(name) !== undefined)).toEqual([true, true, true]);
  expect(['europe/vienna', '+02:00', 'Europe/Nowhere', ''].map(zoneOf)).toEqual(Array(4).fill(undefined));
  expect(calendarOf({ hour: '25' })).toBeUndefined();
});
