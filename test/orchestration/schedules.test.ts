import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConnection } from '../../src/orchestration/connection.ts';
import { methods } from '../../src/orchestration/methods.ts';
import { createSchedules } from '../../src/orchestration/schedules/schedules.ts';
import { toScheduleEntry } from '../../src/orchestration/schedules/snapshot.ts';
import type { Connection } from '../../src/orchestration/services.ts';
import { Problem } from '../../src/problems.ts';
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

let opened: ReturnType<typeof createConnection>;
let schedules: ReturnType<typeof createSchedules>;
const gatewayOver = (connection: Connection) =>
  createSchedules({
    connection,
    namespace: 'default',
    deadlines: { startMs: 25_000, readMs: 25_000, actionMs: 25_000 },
    launchQueue: unique('none'),
  });
beforeAll(() => {
  opened = createConnection({ settings: { address: temporalAddress(), tls: false }, observe: () => undefined });
  schedules = gatewayOver(opened.connection);
});
afterAll(() => opened.close());

function recordOf({ tenant }: { tenant: string }, revision: string) {
  const startedBy = { iss: 'https://issuer.test', sub: 'sam' };
  const launch = { tenant, schedule: 's', process: 'none', input: {}, startedBy };
  return {
    launch: { ...launch, waits: true, catchUpMs: rule.catchUpMs },
    asked: {},
    revisions: [revision],
    createdBy: startedBy,
    createdAt: '2026-01-01T00:00:00.000Z',
  };
}

describe('a change', () => {
  it('of what somebody else has replaced meanwhile changes nothing, and is told so', async () => {
    const address = { tenant: unique('tenant'), name: 's' };
    const replaceWith = async (revision: string, seen: Parameters<typeof schedules.replaceSchedule>[1]) =>
      (await schedules.replaceSchedule({ ...address, rule, record: recordOf(address, revision) }, seen)).kind;
    await schedules.createSchedule({ ...address, rule, record: recordOf(address, 'first'), fingerprint: 'f' });
    const seen = await schedules.describeSchedule(address);
    if (seen === undefined) throw new Error('there is no schedule');
    // Both have seen it as it was.
    expect(await replaceWith('second', seen)).toBe('replaced');
    expect(await replaceWith('third', seen)).toBe('superseded');
    expect((await schedules.describeSchedule(address))?.record.revisions).toEqual(['second']);
    await schedules.deleteSchedule(address);
  });

  it('whose repetition fails may have had its effect: the first request was taken', async () => {
    const address = { tenant: unique('tenant'), name: 's' };
    await schedules.createSchedule({ ...address, rule, record: recordOf(address, 'first'), fingerprint: 'f' });
    const { connection } = opened;
    let sent = 0;
    const call: Connection['call'] = (method, request, limits) => {
      if (method.path !== methods.patchSchedule.path) return connection.call(method, request, limits);
      sent += 1;
      // The first one is lost, as the engine loses one of two.
      if (sent === 1) return Promise.resolve(method.decode(new Uint8Array()));
      return Promise.reject(new Problem('orchestration-unavailable'));
    };
    const paused = gatewayOver({ ...connection, call }).setPaused(address, true, {});
    await expect(paused).rejects.toMatchObject({ code: 'outcome-unknown' });
    expect(sent).toBe(2);
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
