import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { msNumberToTs } from '@temporalio/common/lib/time.js';
import proto from '@temporalio/proto';
import { Problem } from '../../problems.ts';
import type { CallDependencies } from '../calls.ts';
import { encode } from '../codec.ts';
import {
  beforeSending,
  grpcCode,
  grpcCodeOf,
  isInstanceMissing,
  mutationProblemOf,
  readProblemOf,
} from '../failures.ts';
import { requestIdOf } from '../identity.ts';
import { methods } from '../methods.ts';
import { ownedAttributes } from '../search-attributes.ts';
import type { CallLimits } from '../services.ts';
import {
  overlapPolicies,
  type ScheduleAddress,
  scheduleIdOf,
  type ScheduleRecord,
  type ScheduleRule,
  schedulesName,
  toRawSchedule,
} from './raw-schedule.ts';
import { type ScheduleNote, type ScheduleSnapshot, toScheduleSnapshot, writeNote } from './snapshot.ts';

interface ScheduleDependencies extends Pick<CallDependencies, 'connection' | 'namespace' | 'deadlines'> {
  /** Where the firings of schedules are worked on. */
  readonly launchQueue: string;
}

type Definition = ScheduleAddress & { readonly rule: ScheduleRule; readonly record: ScheduleRecord };

/** How long to wait before a change is looked for again. */
const lookEveryMs = 100;
/** A change that has not shown after so many looks is asked for again: the engine may lose one of two at once. */
const looksOfOneRequest = 5;

/** The gateway's part for schedules. A schedule is found by its tenant and name; foreign ones are like absent ones. */
export function createSchedules(dependencies: ScheduleDependencies) {
  const { connection, namespace, deadlines, launchQueue: taskQueue } = dependencies;
  const mutation = (signal?: AbortSignal): CallLimits => ({ deadlineMs: deadlines.actionMs, signal });

  /** Undefined where the tenant has no such schedule. Throws a read Problem. */
  async function describeSchedule(
    address: ScheduleAddress,
    signal?: AbortSignal,
  ): Promise<ScheduleSnapshot | undefined> {
    const scheduleId = scheduleIdOf(address);
    try {
      const limits = { deadlineMs: deadlines.readMs, signal };
      const described = await connection.call(methods.describeSchedule, { namespace, scheduleId }, limits);
      const snapshot = await toScheduleSnapshot(scheduleId, described);
      return snapshot.tenant === address.tenant ? snapshot : undefined;
    } catch (error) {
      if (isInstanceMissing(error)) return undefined;
      throw readProblemOf(error);
    }
  }

  /** Looks until `isSo` says what became of a change; sends it again from time to time. */
  async function untilShown<T>(
    address: ScheduleAddress,
    send: () => Promise<unknown>,
    isSo: (snapshot: ScheduleSnapshot) => T | undefined,
  ): Promise<T> {
    const endsAtMs = performance.now() + deadlines.actionMs;
    for (let look = 0; ; look += 1) {
      if (look % looksOfOneRequest === 0) await mutate(send);
      const snapshot = await describeSchedule(address).catch((cause: unknown) => {
        throw new Problem('outcome-unknown', { cause });
      });
      if (snapshot === undefined) throw new Problem('not-found');
      const shown = isSo(snapshot);
      if (shown !== undefined) return shown;
      if (performance.now() > endsAtMs) throw new Problem('outcome-unknown');
      await sleep(lookEveryMs);
    }
  }

  const patch = (address: ScheduleAddress, body: proto.temporal.api.schedule.v1.ISchedulePatch, requestId: string) =>
    connection.call(
      methods.patchSchedule,
      { namespace, scheduleId: scheduleIdOf(address), patch: body, requestId },
      mutation(),
    );

  return {
    describeSchedule,

    /** Creates a schedule unless one of that name exists. Throws `invalid-request` for what the engine does not accept. */
    async createSchedule(
      { tenant, name, rule, record, fingerprint }: Definition & { readonly fingerprint: string },
      signal?: AbortSignal,
    ): Promise<{ kind: 'created'; token: Uint8Array } | { kind: 'exists' }> {
      const request = await beforeSending(async () => ({
        namespace,
        scheduleId: scheduleIdOf({ tenant, name }),
        schedule: await toRawSchedule({ rule, record, state: {}, taskQueue }),
        memo: { fields: { fingerprint: await encode(fingerprint) } },
        searchAttributes: { indexedFields: ownedAttributes({ tenant, process: schedulesName, labels: [] }) },
        requestId: requestIdOf(fingerprint),
      }));
      try {
        const { conflictToken } = await connection.call(methods.createSchedule, request, mutation(signal));
        return { kind: 'created', token: conflictToken };
      } catch (error) {
        if (grpcCodeOf(error) === grpcCode.ALREADY_EXISTS) return { kind: 'exists' };
        throw scheduleProblemOf(error);
      }
    },

    /**
     * Replaces a schedule as it was at `token`, and keeps whether it is paused. `superseded`: it was changed meanwhile, and
     * this request changed nothing. The engine says nothing to that, so the schedule is read afterwards.
     */
    async replaceSchedule(
      { tenant, name, rule, record }: Definition,
      seen: Pick<ScheduleSnapshot, 'token' | 'isPaused' | 'note'>,
    ): Promise<{ kind: 'replaced'; snapshot: ScheduleSnapshot } | { kind: 'superseded' }> {
      const [revision = ''] = record.revisions;
      const state = { paused: seen.isPaused, notes: writeNote(seen.note) };
      const request = await beforeSending(async () => ({
        namespace,
        scheduleId: scheduleIdOf({ tenant, name }),
        schedule: await toRawSchedule({ rule, record, state, taskQueue }),
        conflictToken: seen.token,
      }));
      const send = () => connection.call(methods.updateSchedule, { ...request, requestId: randomUUID() }, mutation());
      return untilShown({ tenant, name }, send, (snapshot) => {
        if (snapshot.record.revisions.includes(revision)) return { kind: 'replaced', snapshot } as const;
        return Buffer.compare(snapshot.token, seen.token) === 0 ? undefined : ({ kind: 'superseded' } as const);
      });
    },

    /** Pauses or resumes, and tells the schedule afterwards. Does nothing to one that is so already. */
    setPaused: (address: ScheduleAddress, isPaused: boolean, note: ScheduleNote): Promise<ScheduleSnapshot> => {
      const text = writeNote(note);
      const send = async () => {
        const seen = await describeSchedule(address);
        if (seen === undefined) throw new Problem('not-found');
        if (seen.isPaused !== isPaused)
          await patch(address, isPaused ? { pause: text } : { unpause: text }, randomUUID());
      };
      return untilShown(address, send, (snapshot) => (snapshot.isPaused === isPaused ? snapshot : undefined));
    },

    /**
     * Fires for the nominal times from `fromMs` to `untilMs`, both included. A repetition fires none twice. Resolves once
     * the engine has begun with it.
     */
    async backfillSchedule(
      address: ScheduleAddress,
      { fromMs, untilMs, overlap }: { fromMs: number; untilMs: number; overlap: 'buffer-all' | 'allow-all' },
    ): Promise<void> {
      const before = await describeSchedule(address);
      if (before === undefined) throw new Problem('not-found');
      const range = {
        startTime: msNumberToTs(fromMs),
        endTime: msNumberToTs(untilMs),
        overlapPolicy: overlapPolicies[overlap],
      };
      const send = () => patch(address, { backfillRequest: [range] }, randomUUID());
      await untilShown(address, send, ({ counts }) => hasBegun(before.counts, counts) || undefined);
    },

    /** Instances that it started go on. Throws `not-found`. */
    async deleteSchedule(address: ScheduleAddress, signal?: AbortSignal): Promise<void> {
      const request = { namespace, scheduleId: scheduleIdOf(address) };
      await mutate(() => connection.call(methods.deleteSchedule, request, mutation(signal)));
    },
  };
}

/** Whether the engine has fired, skipped or put off anything since. */
const hasBegun = (before: ScheduleSnapshot['counts'], after: ScheduleSnapshot['counts']): boolean =>
  (['buffered', 'fired', 'skipped', 'dropped'] as const).some((each) => after[each] > before[each]);

async function mutate(send: () => Promise<unknown>): Promise<void> {
  try {
    await send();
  } catch (error) {
    throw scheduleProblemOf(error);
  }
}

/** A schedule that the engine finds wrong is the caller's: everything else of the request is Portico's own. */
function scheduleProblemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isInstanceMissing(error)) return new Problem('not-found', { cause: error });
  if (grpcCodeOf(error) !== grpcCode.INVALID_ARGUMENT) return mutationProblemOf(error);
  const errors = [{ pointer: '/spec', message: 'is not accepted by the engine, which may not know the zone' }];
  return new Problem('invalid-request', { detail: 'The engine does not accept this schedule.', errors, cause: error });
}
