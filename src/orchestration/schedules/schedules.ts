import { encode } from '../codec.ts';
import { beforeSending, grpcCode, grpcCodeOf } from '../failures.ts';
import { requestIdOf } from '../identity.ts';
import { methods } from '../methods.ts';
import { ownedAttributes } from '../search-attributes.ts';
import { createScheduleChanges } from './changes.ts';
import { describeSchedule, type ScheduleDependencies, scheduleProblemOf } from './describe.ts';
import {
  type ScheduleAddress,
  scheduleIdOf,
  type ScheduleRecord,
  type ScheduleRule,
  schedulesName,
  toRawSchedule,
} from './raw-schedule.ts';

interface NewSchedule extends ScheduleAddress {
  readonly rule: ScheduleRule;
  readonly record: ScheduleRecord;
  /** Of the request that creates it. */
  readonly fingerprint: string;
}

/** The gateway's part for schedules. A schedule is found by its tenant and name; foreign ones are like absent ones. */
export const createSchedules = (dependencies: ScheduleDependencies) => ({
  ...createScheduleChanges(dependencies),

  describeSchedule: (address: ScheduleAddress, signal?: AbortSignal) => describeSchedule(dependencies, address, signal),

  /** Creates a schedule unless one of that name exists. Throws `invalid-request` for what the engine does not accept. */
  async createSchedule(
    { tenant, name, rule, record, fingerprint }: NewSchedule,
    signal?: AbortSignal,
  ): Promise<{ kind: 'created'; token: Uint8Array } | { kind: 'exists' }> {
    const { connection, namespace, deadlines, launchQueue: taskQueue } = dependencies;
    const request = await beforeSending(async () => ({
      namespace,
      scheduleId: scheduleIdOf({ tenant, name }),
      schedule: await toRawSchedule({ rule, record, state: {}, taskQueue }),
      memo: { fields: { fingerprint: await encode(fingerprint) } },
      searchAttributes: { indexedFields: ownedAttributes({ tenant, process: schedulesName, labels: [] }) },
      requestId: requestIdOf(fingerprint),
    }));
    try {
      const limits = { deadlineMs: deadlines.actionMs, signal };
      const { conflictToken } = await connection.call(methods.createSchedule, request, limits);
      return { kind: 'created', token: conflictToken };
    } catch (error) {
      if (grpcCodeOf(error) === grpcCode.ALREADY_EXISTS) return { kind: 'exists' };
      throw scheduleProblemOf(error);
    }
  },

  /** Instances that it started go on. Throws `not-found`. */
  async deleteSchedule(address: ScheduleAddress, signal?: AbortSignal): Promise<void> {
    const { connection, namespace, deadlines } = dependencies;
    const request = { namespace, scheduleId: scheduleIdOf(address) };
    try {
      await connection.call(methods.deleteSchedule, request, { deadlineMs: deadlines.actionMs, signal });
    } catch (error) {
      throw scheduleProblemOf(error);
    }
  },
});
