import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { Problem } from '../src/problems.ts';

/**
 * The types of failure an activity may end in. All are retryable by default. The retry policy at the workflow's
 * `proxyActivities` names those it does not retry: a refund is retried where a withdrawal is not.
 */
export type FailureType =
  /** A failure that passes by itself: the database cannot be reached, or a lock was held too long. */
  | 'unavailable'
  /** An account refuses money that must go to it. Only a person or time can change that. */
  | 'blocked'
  /** A defect, or a violated rule of the database. Repeating the same call cannot help. */
  | 'unexpected';

/** Creates a failure of one of our types, so that retry policies do not depend on the names of error classes. */
export const failureOf = (type: FailureType, message: string, cause?: unknown): ApplicationFailure =>
  ApplicationFailure.create({ type, message, ...(cause instanceof Error ? { cause } : {}) });

/** Runs the body of an activity, and turns whatever an adapter throws into a failure of one of our types, but a cancel. */
export async function typed<Result>(body: () => Promise<Result>): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof ApplicationFailure || error instanceof CancelledFailure) throw error;
    if (error instanceof Problem && error.kind.retryable) throw failureOf('unavailable', error.message, error);
    throw failureOf('unexpected', 'The activity failed for a reason that no retry is known to cure', error);
  }
}
