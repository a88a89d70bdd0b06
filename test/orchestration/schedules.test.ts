import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { createSchedules } from '../../src/orchestration/schedules/schedules.ts';
import { toScheduleEntry } from '../../src/orchestration/schedules/snapshot.ts';
import { unique } from '../harness/portico.ts';
import { temporalAddress } from '../servers/temporal.ts';

const rule = {
  zoneName: 'UTC',
  calendars: [],
  intervals: [{ everyMs: 86_400_000, offsetMs: 0 }],
  jitterMs: 0,
  overlap: 'skip',
  catchUpMs: 60_000,
  pauseOnFailure: false,
} as const;

describe('a replacement', () => {
  let opened: ReturnType<typeof createConnection>;
  let schedules: ReturnType<typeof createSchedules>;
  beforeAll(() => {
    opened = createConnection({ settings: { address: temporalAddress(), tls: false }, observe: () => undefined });
    const deadlines = { startMs: 25_000, readMs: 25_000, actionMs: 25_000 };
    const { connection } = opened;
    schedules = createSchedules({ connection, namespace: 'default', deadlines, launchQueue: unique('none') });
  });
  afterAll(() => opened.close());

  it('of what somebody else has replaced meanwhile changes nothing, and is told so', async () => {
    const address = { tenant: unique('tenant'), name: 's' };
    const startedBy = { iss: 'https://issuer.test', sub: 'sam' };
    const launch = { tenant: address.tenant, schedule: 's', process: 'none', input: {}, startedBy };
    const recordOf = (revision: string) => ({
      launch: { ...launch, waits: true, catchUpMs: rule.catchUpMs },
      asked: {},
      revisions: [revision],
      createdBy: startedBy,
      createdAt: '2026-01-01T00:00:00.000Z',
    });
    const replaceWith = async (revision: string, seen: Parameters<typeof schedules.replaceSchedule>[1]) =>
      (await schedules.replaceSchedule({ ...address, rule, record: recordOf(revision) }, seen)).kind;
    await schedules.createSchedule({ ...address, rule, record: recordOf('first'), fingerprint: 'f' });
    const seen = await schedules.describeSchedule(address);
    if (seen === undefined) throw new Error('there is no schedule');
    // Both have seen it as it was.
    expect(await replaceWith('second', seen)).toBe('replaced');
    expect(await replaceWith('third', seen)).toBe('superseded');
    expect((await schedules.describeSchedule(address))?.record.revisions).toEqual(['second']);
    await schedules.deleteSchedule(address);
  });
});

describe('the note of a schedule', () => {
  const noteOf = (notes: string) => toScheduleEntry({ scheduleId: 'acme/schedules/s', info: { notes } }).note;

  it('is what Portico wrote', () => {
    expect(noteOf('')).toEqual({});
    expect(noteOf('{}')).toEqual({});
    expect(noteOf('{"reason":"month end","by":"olga"}')).toEqual({ reason: 'month end', by: 'olga' });
  });

  it('tells of a failure without the words of Temporal', () => {
    expect(noteOf('paused due to workflow failure: acme/schedules/s: secret')).toEqual({ reason: 'a firing failed' });
  });

  it.each(['maintenance', 'null', '7', '["a"]', '{"reason":{}}', '{"reason":1}'])(
    'is nothing that an operator of Temporal wrote: %s',
    (text) => {
      expect(noteOf(text)).toEqual({ reason: 'changed by an operator of Temporal' });
    },
  );
});
