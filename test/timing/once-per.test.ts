import { describe, expect, it } from 'vitest';
import { createOncePer } from '../../src/timing/once-per.ts';

describe('what is done once in a while', () => {
  const clocked = (options: { readonly names?: number } = {}) => {
    const clock = { ms: 0 };
    return { clock, isDue: createOncePer({ periodMs: 1_000, now: () => clock.ms, ...options }) };
  };

  it('is due at first, and again after the time, by each name for itself', () => {
    const { clock, isDue } = clocked();
    expect([isDue('a'), isDue('a'), isDue('b')]).toEqual([true, false, true]);
    clock.ms = 999;
    expect(isDue('a')).toBe(false);
    clock.ms = 1_000;
    expect([isDue('a'), isDue('a')]).toEqual([true, false]);
    // What was refused moves nothing.
    clock.ms = 2_000;
    expect(isDue('a')).toBe(true);
  });

  it('forgets the names that were due longest ago, beyond as many as it may know', () => {
    const { clock, isDue } = clocked({ names: 2 });
    isDue('a');
    isDue('b');
    clock.ms = 1_000;
    isDue('a');
    isDue('c');
    expect([isDue('a'), isDue('c'), isDue('b')]).toEqual([false, false, true]);
  });
});
