import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { failureOf, typed } from '../../activities/failures.ts';
import { Problem } from '../../src/problems.ts';

const failureFrom = (error: Error): Promise<unknown> =>
  typed(() => Promise.reject(error)).then(
    () => undefined,
    (failure: unknown) => failure,
  );

describe('typed', () => {
  it('gives the answer of the body', async () => {
    expect(await typed(() => Promise.resolve('answer'))).toBe('answer');
  });

  it('calls a failure that passes by itself unavailable, and leaves the retrying to the policy', async () => {
    const cause = new Problem('database-unavailable');
    expect(await failureFrom(cause)).toMatchObject({ type: 'unavailable', nonRetryable: false, cause });
  });

  it.each([new Problem('invalid-request'), new TypeError('a defect')])('calls %s unexpected', async (cause) => {
    const failure = await failureFrom(cause);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'unexpected', nonRetryable: false, cause });
  });

  it('leaves a cancel alone, which is no defect', async () => {
    const cancel = new CancelledFailure('WORKER_SHUTDOWN');
    expect(await failureFrom(cancel)).toBe(cancel);
  });

  it('leaves a failure that has its type alone', async () => {
    const failure = failureOf('blocked', 'account-frozen');
    expect(await failureFrom(failure)).toBe(failure);
  });
});
