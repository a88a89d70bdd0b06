import { describe, expect, it } from 'vitest';
import { createCounter } from '../../src/http/fixed-window.ts';

function start(max: number) {
  const clock = { ms: 1_000_000 };
  return { clock, counter: createCounter({ max, windowMs: 10_000, nowMs: () => clock.ms }) };
}

describe('a counter', () => {
  it('is exceeded by the one after the last, until the window ends that the first began', () => {
    const { clock, counter } = start(2);
    expect(counter.count('a')).toEqual({ isExceeded: false, remaining: 1, leftMs: 10_000 });
    clock.ms += 4_000;
    expect(counter.count('a')).toEqual({ isExceeded: false, remaining: 0, leftMs: 6_000 });
    expect(counter.count('a')).toEqual({ isExceeded: true, remaining: 0, leftMs: 6_000 });
    clock.ms += 5_999;
    expect(counter.count('a')).toMatchObject({ isExceeded: true, leftMs: 1 });
    clock.ms += 1;
    expect(counter.count('a')).toEqual({ isExceeded: false, remaining: 1, leftMs: 10_000 });
  });

  it('counts each key for itself, and nothing where it only looks', () => {
    const { counter } = start(1);
    expect(counter.look('a')).toEqual({ isExceeded: false, remaining: 1, leftMs: 0 });
    counter.count('a');
    expect(counter.look('a').remaining).toBe(0);
    expect(counter.look('b').remaining).toBe(1);
    expect(counter.count('b').isExceeded).toBe(false);
  });

  it('gives no window more than its length where the clock goes back', () => {
    const { clock, counter } = start(1);
    counter.count('a');
    clock.ms -= 3_600_000;
    expect(counter.count('a').leftMs).toBe(10_000);
  });

  it('knows 5,000 keys at most, and forgets the one that came longest ago', () => {
    const { counter } = start(1);
    counter.count('first');
    counter.count('second');
    for (let n = 0; n < 4_998; n += 1) counter.count(`other-${n}`);
    counter.count('first');
    counter.count('one too many');
    expect(counter.look('second').remaining).toBe(1);
    expect(counter.look('first').remaining).toBe(0);
    expect(counter.look('other-0').remaining).toBe(0);
  });
});
