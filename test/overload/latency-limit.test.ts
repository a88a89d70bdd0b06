import { describe, expect, it } from 'vitest';
import { createLatencyLimit } from '../../src/overload/latency-limit.ts';

const bounds = { floor: 10, ceiling: 200 };

/** A limit, and a way to let windows of requests pass that take so long each. Time is virtual. */
function limited() {
  const latency = createLatencyLimit(bounds);
  let now = 0;
  const pass = (windows: number, tookMs: number, { underWay = latency.limit, perWindow = 8 } = {}) => {
    for (let each = 0; each < windows * perWindow; each += 1) {
      now += 100 / perWindow;
      latency.see(tookMs, underWay, now);
    }
  };
  return { latency, pass };
}

describe('the limit by latency', () => {
  it('begins at its ceiling, and stays there while requests take what they usually do', () => {
    const { latency, pass } = limited();
    expect(latency.limit).toBe(200);
    pass(100, 20);
    pass(100, 40);
    expect(latency.limit).toBe(200);
  });

  it('falls while requests take much longer than usual, and recovers after', () => {
    const { latency, pass } = limited();
    pass(10, 20);
    pass(2, 400);
    expect(latency.limit).toBeLessThan(100);
    pass(10, 400);
    expect(latency.limit).toBe(10);
    pass(10, 20);
    expect(latency.limit).toBeGreaterThan(30);
    pass(40, 20);
    expect(latency.limit).toBe(200);
  });

  it('falls to a share of what was under way, not of what would have been allowed', () => {
    const { latency, pass } = limited();
    pass(10, 20);
    pass(2, 400, { underWay: 40 });
    expect(latency.limit).toBeLessThanOrEqual(20);
  });

  it('settles where requests take a little longer than usual, if the time grows with their number', () => {
    const { latency, pass } = limited();
    pass(5, 10);
    // A server that works on 40 at once: more only wait.
    const seen: number[] = [];
    for (let each = 0; each < 200; each += 1) {
      pass(1, 10 * Math.max(1, latency.limit / 40));
      seen.push(latency.limit);
    }
    const late = seen.slice(100);
    expect(Math.min(...late)).toBeGreaterThan(40);
    expect(Math.max(...late)).toBeLessThan(160);
  });

  it('does not take an overload of minutes for usual, but what has been so for much longer', () => {
    const { latency, pass } = limited();
    pass(10, 20);
    pass(600, 1_000);
    expect(latency.limit).toBe(10);
    pass(12_000, 1_000);
    expect(latency.limit).toBe(200);
  });

  it('judges no window of few requests, and none that is fast as such', () => {
    const { latency, pass } = limited();
    pass(10, 1);
    pass(50, 9);
    expect(latency.limit).toBe(200);
    pass(7, 5_000, { perWindow: 1 });
    expect(latency.limit).toBe(200);
    pass(1, 5_000, { perWindow: 1 });
    expect(latency.limit).toBe(100);
  });

  it('tells how long a request takes on average', () => {
    const { latency, pass } = limited();
    pass(3, 80);
    expect(latency.meanMs).toBe(80);
    pass(3, 0.01);
    expect(latency.meanMs).toBe(1);
  });
});
