import { setTimeout as sleep } from 'node:timers/promises';
import { Problem } from '../../problems.ts';
import type { CallDependencies } from '../calls.ts';
import { grpcCode, grpcCodeOf, grpcErrorOf, isInstanceMissing, mutationProblemOf, readProblemOf } from '../failures.ts';
import { methods } from '../methods.ts';
import { type ScheduleAddress, scheduleIdOf } from './raw-schedule.ts';
import { type ScheduleSnapshot, toScheduleSnapshot } from './snapshot.ts';

export interface ScheduleDependencies extends Pick<CallDependencies, 'connection' | 'namespace' | 'deadlines'> {
  /** Where the firings of schedules are worked on. */
  readonly launchQueue: string;
}

/** How often a schedule that answers another reader just now is asked again, and after how long. */
const maxBusyTurns = 20;
const busyPauseMs = 50;

/** Undefined where the tenant has no such schedule. Throws a read Problem. */
export async function describeSchedule(
  dependencies: ScheduleDependencies,
  address: ScheduleAddress,
  signal?: AbortSignal,
): Promise<ScheduleSnapshot | undefined> {
  for (let turn = 1; ; turn += 1) {
    try {
      return await describeOnce(dependencies, address, signal);
    } catch (error) {
      if (turn === maxBusyTurns || !isBusy(error)) throw readProblemOf(error);
      await sleep(busyPauseMs + Math.random() * busyPauseMs);
    }
  }
}

// A schedule keeps one reader waiting while it works. It refuses the others at once.
const isBusy = (error: unknown): boolean => {
  const { code, details } = grpcErrorOf(error) ?? {};
  return code === grpcCode.RESOURCE_EXHAUSTED && details?.includes('query buffer') === true;
};

async function describeOnce(
  { connection, namespace, deadlines }: ScheduleDependencies,
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
    throw error;
  }
}

/**
 * What a caller sees of a failed change. What the engine finds wrong is the spec: Portico itself has judged everything
 * else.
 */
export function scheduleProblemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isInstanceMissing(error)) return new Problem('not-found', { cause: error });
  if (grpcCodeOf(error) !== grpcCode.INVALID_ARGUMENT) return mutationProblemOf(error);
  const errors = [{ pointer: '/spec', message: 'is not accepted by the engine, which may not know the zone' }];
  return new Problem('invalid-request', { detail: 'The engine does not accept this schedule.', errors, cause: error });
}
