import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import type proto from '@temporalio/proto';
import { Problem } from '../../problems.ts';
import { beforeSending, isInstanceMissing } from '../failures.ts';
import { methods } from '../methods.ts';
import { describeSchedule, type ScheduleDependencies, scheduleProblemOf } from './describe.ts';
import {
  overlapPolicies,
  type ScheduleAddress,
  scheduleIdOf,
  type ScheduleRecord,
  type ScheduleRule,
  toRawSchedule,
} from './raw-schedule.ts';
import { type ScheduleNote, type ScheduleSnapshot, secondsText, writeNote } from './snapshot.ts';

/** How long to wait before a change is looked for again. */
const lookEveryMs = 100;
/** A change that has not shown after so many looks is asked for again: the engine may lose one of two at once. */
const looksOfOneRequest = 5;

/**
 * The gateway's part that changes schedules. The engine notes a change and decides about it later, in silence: so each
 * is read back. What cannot be found out in time is `outcome-unknown`.
 */
export const createScheduleChanges = (dependencies: ScheduleDependencies) => ({
  /**
   * Replaces a schedule as it was at `token`, and keeps whether it is paused. `superseded`: it was changed meanwhile, and
   * this request changed nothing.
   */
  async replaceSchedule(
    { tenant, name, rule, record }: ScheduleAddress & { readonly rule: ScheduleRule; readonly record: ScheduleRecord },
    seen: Pick<ScheduleSnapshot, 'token' | 'isPaused' | 'note'>,
  ): Promise<{ kind: 'replaced'; snapshot: ScheduleSnapshot } | { kind: 'superseded' }> {
    const { connection, namespace, deadlines, launchQueue: taskQueue } = dependencies;
    const [revision = ''] = record.revisions;
    const state = { paused: seen.isPaused, notes: writeNote(seen.note) };
    const request = await beforeSending(async () => ({
      namespace,
      scheduleId: scheduleIdOf({ tenant, name }),
      schedule: await toRawSchedule({ rule, record, state, taskQueue }),
      conflictToken: seen.token,
    }));
    const limits = { deadlineMs: deadlines.actionMs };
    const send = () => connection.call(methods.updateSchedule, { ...request, requestId: randomUUID() }, limits);
    return untilShown(dependencies, { address: { tenant, name }, send }, (snapshot) => {
      if (snapshot.record.revisions.includes(revision)) return { kind: 'replaced', snapshot } as const;
      return Buffer.compare(snapshot.token, seen.token) === 0 ? undefined : ({ kind: 'superseded' } as const);
    });
  },

  /** Pauses or resumes, and tells the schedule afterwards. Does nothing to one that is so already. */
  setPaused(address: ScheduleAddress, isPaused: boolean, note: ScheduleNote): Promise<ScheduleSnapshot> {
    const text = writeNote(note);
    const send = async () => {
      const seen = await seenBefore(dependencies, address);
      if (seen.isPaused !== isPaused)
        await patch(dependencies, address, isPaused ? { pause: text } : { unpause: text });
    };
    return untilShown(dependencies, { address, send }, (snapshot) =>
      snapshot.isPaused === isPaused ? snapshot : undefined,
    );
  },

  /**
   * Fires for all nominal times of a range, of which there must be one. A repetition fires none twice. Resolves once the
   * engine has begun with it, and where it finds that each has been fired.
   */
  async backfillSchedule(address: ScheduleAddress, { fromMs, untilMs, times, overlap }: Backfill): Promise<void> {
    const before = await seenBefore(dependencies, address);
    const send = () =>
      patch(dependencies, address, {
        backfillRequest: [
          { startTime: msNumberToTs(fromMs), endTime: msNumberToTs(untilMs), overlapPolicy: overlapPolicies[overlap] },
        ],
      });
    let fired = 0;
    await untilShown(dependencies, { address, send }, async ({ counts }, look) => {
      if (hasBegun(before.counts, counts)) return true;
      // The engine passes by a time whose launcher still runs, and counts nothing.
      if (look < looksOfOneRequest) return undefined;
      while (fired < times.length && (await hasFired(dependencies, address, times[fired]))) fired += 1;
      return fired === times.length || undefined;
    });
  },
});

interface Backfill {
  /** The first nominal time, and the last instant at which one of them begins, in milliseconds since 1970. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** The nominal times of the range. */
  readonly times: readonly number[];
  readonly overlap: 'buffer-all' | 'allow-all';
}

/** Whether there is, or was not long ago, a launcher for a nominal time. */
async function hasFired(
  { connection, namespace, deadlines }: ScheduleDependencies,
  address: ScheduleAddress,
  timeMs: number | undefined,
): Promise<boolean> {
  const workflowId = `${scheduleIdOf(address)}-${secondsText(timeMs) ?? ''}`;
  const request = { namespace, execution: { workflowId } };
  try {
    await connection.call(methods.describeWorkflow, request, { deadlineMs: deadlines.readMs });
    return true;
  } catch (error) {
    if (isInstanceMissing(error)) return false;
    throw new Problem('outcome-unknown', { cause: error });
  }
}

/** Whether the engine has fired, skipped or put off anything since. */
const hasBegun = (before: ScheduleSnapshot['counts'], after: ScheduleSnapshot['counts']): boolean =>
  (['buffered', 'fired', 'skipped', 'dropped'] as const).some((each) => after[each] > before[each]);

async function seenBefore(dependencies: ScheduleDependencies, address: ScheduleAddress): Promise<ScheduleSnapshot> {
  const seen = await describeSchedule(dependencies, address);
  if (seen === undefined) throw new Problem('not-found');
  return seen;
}

const patch = (
  { connection, namespace, deadlines }: ScheduleDependencies,
  address: ScheduleAddress,
  change: proto.temporal.api.schedule.v1.ISchedulePatch,
) =>
  connection.call(
    methods.patchSchedule,
    { namespace, scheduleId: scheduleIdOf(address), patch: change, requestId: randomUUID() },
    { deadlineMs: deadlines.actionMs },
  );

/** Looks until `isSo` says what became of a change; sends it again from time to time. */
async function untilShown<T>(
  dependencies: ScheduleDependencies,
  { address, send }: { readonly address: ScheduleAddress; readonly send: () => Promise<unknown> },
  isSo: (snapshot: ScheduleSnapshot, look: number) => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const endsAtMs = performance.now() + dependencies.deadlines.actionMs;
  for (let look = 0; ; look += 1) {
    if (look % looksOfOneRequest === 0) await sendOnce(send, look > 0);
    const snapshot = await describeSchedule(dependencies, address).catch((cause: unknown) => {
      throw new Problem('outcome-unknown', { cause });
    });
    if (snapshot === undefined) throw new Problem('not-found');
    const shown = await isSo(snapshot, look);
    if (shown !== undefined) return shown;
    if (performance.now() > endsAtMs) throw new Problem('outcome-unknown');
    await sleep(lookEveryMs);
  }
}

async function sendOnce(send: () => Promise<unknown>, isRepetition: boolean): Promise<void> {
  try {
    await send();
  } catch (error) {
    const problem = scheduleProblemOf(error);
    // The first request was taken, and may yet have its effect.
    if (isRepetition && problem.code !== 'not-found') throw new Problem('outcome-unknown', { cause: error });
    throw problem;
  }
}
