import { status as grpcStatus } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { withinRetryBudget } from '../../src/orchestration/retry-budget.ts';
import { failureOf } from '../../src/orchestration/transport/answer.ts';
import type { UnaryOptions } from '../../src/orchestration/transport/unary.ts';

/** A budget in virtual time for calls of which each failure is worth a retry, unless told otherwise. */
function budget(isRetryable = () => true) {
  let now = 0;
  const seen: string[] = [];
  const observe = (path: string, code: number) => void seen.push(`${path} ${code}`);
  const options: Pick<UnaryOptions, 'isRetryable' | 'observe'> = { isRetryable, observe };
  const calls = withinRetryBudget(options, () => now);
  const failure = failureOf(grpcStatus.UNAVAILABLE, '', 'unknown');
  return {
    /** How many of so many failures are tried again. */
    fail(count: number): number {
      let retried = 0;
      for (let each = 0; each < count; each += 1) {
        calls.observe('/s/m', grpcStatus.UNAVAILABLE, 0);
        if (calls.isRetryable(failure)) retried += 1;
      }
      return retried;
    },
    succeed(count: number): void {
      for (let each = 0; each < count; each += 1) calls.observe('/s/m', grpcStatus.OK, 0);
    },
    pass: (ms: number) => (now += ms),
    seen,
  };
}

describe('the budget of retries', () => {
  it('lets a burst be retried, and an outage no more than ten a second', () => {
    const { fail, pass } = budget();
    expect(fail(50)).toBe(50);
    fail(1_000);
    let retried = 0;
    for (let each = 0; each < 100; each += 1) {
      pass(100);
      retried += fail(100);
    }
    expect(retried).toBeGreaterThanOrEqual(95);
    expect(retried).toBeLessThanOrEqual(105);
  });

  it('lets a tenth of what succeeds be retried', () => {
    const { fail, succeed, seen } = budget();
    fail(1_000);
    succeed(500);
    expect([seen.length, seen.at(0), seen.at(-1)]).toEqual([1_500, '/s/m 14', '/s/m 0']);
    expect(fail(1_000)).toBeGreaterThanOrEqual(49);
    expect(fail(1_000)).toBe(0);
  });

  it('saves no more than a burst', () => {
    const { fail, succeed, pass } = budget();
    succeed(100_000);
    pass(3_600_000);
    expect(fail(1_000)).toBe(100);
  });

  it('pays for no retry that would not be made anyway', () => {
    let wanted = 0;
    const seldom = budget(() => (wanted += 1) > 1_000);
    expect(seldom.fail(1_000)).toBe(0);
    expect(seldom.fail(50)).toBe(50);
  });
});
