import { ApplicationFailure } from '@temporalio/common';
import { Problem } from '../src/problems.ts';

/**
 * The types of failure an activity may end in. Each is retryable by itself: the retry policy beside the workflow's
 * `proxyActivities` names those at which it gives up, because a compensation must insist where a first step must not.
 */
export type FailureType =
  /** Passes by itself: the database cannot be reached, a lock was held too long. */
  | 'unavailable'
  /** An account does not take money that must go to it; only a person or time can change that. */
  | 'blocked'
  /** A defect or a broken rule of the database: repeating the same call cannot help. */
  | 'unexpected';

/** A failure with a type of ours, so that retry policies do not depend on the names of error classes. */
export const failureOf = (type: FailureType, message: string, cause?: unknown): ApplicationFailure =>
  ApplicationFailure.create({ type, message, ...(cause instanceof Error ? { cause } : {}) });

/** Runs the body of an activity; whatever an adapter throws leaves it as a failure with one of our types. */
export async function typed<Result>(body: () => Promise<Result>): Promise<Result> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof ApplicationFailure) throw error;
    if (error instanceof Problem && error.kind.retryable) throw failureOf('unavailable', error.message, error);
    throw failureOf('unexpected', 'The activity failed for a reason that no retry is known to cure', error);
  }
}
