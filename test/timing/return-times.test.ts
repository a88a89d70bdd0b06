import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createReturnTimes } from '../../src/timing/return-times.ts';

describe('when to come back', () => {
  let now = 0;
  beforeEach(() => {
    now = 0;
    vi.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterEach(() => vi.restoreAllMocks());
  const times = (perSecond: number) => createReturnTimes({ perSecond: () => perSecond, nowMs: () => now });

  it('is one moment after the other, a second away at least', () => {
    const afterMs = times(2);
    expect([afterMs(0), afterMs(0), afterMs(0), afterMs(0)]).toEqual([1_000, 1_000, 1_500, 2_000]);
    now = 1_000;
    expect(afterMs(0)).toBe(1_500);
    now = 60_000;
    expect(afterMs(0)).toBe(1_000);
  });

  it('is after those who wait already', () => {
    expect(times(2)(10)).toBe(5_500);
  });

  it('is spread by half as much again', () => {
    vi.mocked(Math.random).mockReturnValue(0.999);
    expect(times(2)(10)).toBeCloseTo(8_247, -1);
  });

  it('is in 45 seconds at the latest, and soon again once nobody was refused for a while', () => {
    const afterMs = times(1);
    vi.mocked(Math.random).mockReturnValue(0.999);
    const told = Array.from({ length: 1_000 }, () => afterMs(0));
    expect(Math.max(...told)).toBeLessThanOrEqual(45_000);
    now = 31_000;
    expect(afterMs(0)).toBeLessThan(3_000);
  });
});
