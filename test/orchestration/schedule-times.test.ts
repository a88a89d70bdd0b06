import { Client, Connection, type ScheduleSpec } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { timetableOf } from '../../src/operations/resources/schedules-rules.ts';
import { scheduleSpec } from '../../src/operations/resources/schedules-schemas.ts';
import { calendarOf, calendarOfCron, valuesOf } from '../../src/orchestration/schedules/calendar.ts';
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
  let client: Client;
  beforeAll(async () => {
    connection = await Connection.connect({ address: temporalAddress() });
    client = new Client({ connection });
  });
  afterAll(() => connection.close());

  /** What Temporal itself says about a spec in a stretch of time. */
  async function askedOfEngine(spec: ScheduleSpec, from: number, to: number): Promise<number[]> {
    const handle = await client.schedule.create({
      scheduleId: unique('times'),
      spec,
      action: { type: 'startWorkflow', workflowType: 'none', taskQueue: 'none' },
      state: { paused: true },
    });
    const at = (ms: number) => ({ seconds: Math.floor(ms / 1_000) as never, nanos: 0 });
    const range = { namespace: 'default', scheduleId: handle.scheduleId, startTime: at(from), endTime: at(to) };
    const { startTime } = await client.workflowService.listScheduleMatchingTimes(range);
    await handle.delete();
    return startTime.map(({ seconds }) => Number(seconds) * 1_000);
  }

  it('begins no second before a schedule does', async () => {
    const from = '2026-01-05T12:00:00.500Z';
    const spec = scheduleSpec.parse({ intervals: [{ everySeconds: 1 }], from });
    const { fromMs = 0 } = timetableOf(spec);
    const aroundMs = Date.parse(from);
    const engine = await askedOfEngine(
      { intervals: [{ every: 1_000 }], startAt: new Date(fromMs) },
      aroundMs - 5_000,
      aroundMs + 5_000,
    );
    expect(engine[0]).toBe(Date.parse('2026-01-05T12:00:01Z'));
    expect(nextFirings(timetableOf(spec), 0, engine.length)).toEqual(engine);
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
    const engine = await askedOfEngine({ cronExpressions: [cron], timezone: zone }, fromMs - 1_000, toMs);
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
