import { describe, expect, it } from 'vitest';
import { createGrants } from '../../src/worker/grants.ts';

/** Starts at one moment; gives how many of them asked. */
function startMany(grants: ReturnType<typeof createGrants>, count: number, isGranted: boolean): number {
  let asked = 0;
  for (let each = 0; each < count; each += 1) {
    if (!grants.isWorthAsking()) continue;
    grants.ask();
    grants.see(isGranted);
    asked += 1;
  }
  return asked;
}

function createClocked() {
  const clock = { ms: 0 };
  return { clock, grants: createGrants(() => clock.ms) };
}

describe('first tasks', () => {
  it('are asked for while any of 32 starts on end is granted', () => {
    const { grants } = createClocked();
    for (let round = 0; round < 20; round += 1) {
      expect(startMany(grants, 31, false)).toBe(31);
      expect(startMany(grants, 1, true)).toBe(1);
    }
  });

  it('are asked for by ever rarer probes while none is granted', () => {
    const { clock, grants } = createClocked();
    expect(startMany(grants, 1_000, false)).toBe(32);
    const probesAt: number[] = [];
    for (; clock.ms < 60_000; clock.ms += 10) if (startMany(grants, 50, false) > 0) probesAt.push(clock.ms);
    expect(probesAt.slice(0, 6)).toEqual([100, 300, 700, 1_500, 3_100, 6_300]);
    // From then on every five seconds.
    expect(probesAt).toHaveLength(6 + 10);
  });

  it('are asked for by all again once a probe was granted', () => {
    const { clock, grants } = createClocked();
    startMany(grants, 32, false);
    clock.ms = 60_000;
    expect(startMany(grants, 1, true)).toBe(1);
    expect(startMany(grants, 100, true)).toBe(100);
    // A probe soon follows the next shortage, however long the last one was.
    startMany(grants, 32, false);
    clock.ms += 100;
    expect(grants.isWorthAsking()).toBe(true);
  });

  it('are asked for by one probe at a time', () => {
    const { clock, grants } = createClocked();
    startMany(grants, 32, false);
    clock.ms = 100;
    expect(grants.isWorthAsking()).toBe(true);
    // Not answered yet.
    grants.ask();
    expect(grants.isWorthAsking()).toBe(false);
  });
});
