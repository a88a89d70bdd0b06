import { Metadata, status as grpcStatus, type StatusObject } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { withinRetryBudget } from '../../src/orchestration/retry-budget.ts';

const ended = (code: grpcStatus): StatusObject => ({ code, details: '', metadata: new Metadata() });

/** A budget whose decider would always retry, in virtual time. */
function budget(decide = () => true) {
  let now = 0;
  const retries = withinRetryBudget(decide, () => now);
  const times = (count: number, code: grpcStatus): number => {
    let retried = 0;
    for (let each = 0; each < count; each += 1) if (retries(1, ended(code))) retried += 1;
    return retried;
  };
  return {
    fail: (count: number) => times(count, grpcStatus.UNAVAILABLE),
    succeed: (count: number) => times(count, grpcStatus.OK),
    pass: (ms: number) => (now += ms),
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
    const { fail, succeed } = budget();
    fail(1_000);
    succeed(500);
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
    const { fail, succeed } = budget(() => false);
    expect([fail(10), succeed(10)]).toEqual([0, 0]);
    let wanted = 0;
    const seldom = budget(() => (wanted += 1) > 1_000);
    expect(seldom.fail(1_000)).toBe(0);
    expect(seldom.fail(50)).toBe(50);
  });
});
