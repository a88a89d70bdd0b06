import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createOpenCounts } from '../../src/orchestration/open-counts.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const asked = { process: 'things', tenant: 'acme', limit: 3 };
const settle = () => new Promise((resolve) => setImmediate(resolve));

function counting(open: { count: number }) {
  const count = vi.fn(() => Promise.resolve(open.count));
  const takePlace = createOpenCounts({ count });
  const admitOpen = async (of: typeof asked) => (await takePlace(of)) !== undefined;
  return { count, takePlace, admitOpen };
}

describe('the limit of open instances', () => {
  it('counts what was let in since the last count', async () => {
    const { admitOpen, count } = counting({ count: 0 });
    expect(await admitOpen(asked)).toBe(true);
    await settle();
    expect([await admitOpen(asked), await admitOpen(asked)]).toEqual([true, true]);
    expect(await admitOpen(asked)).toBe(false);
    expect(count).toHaveBeenCalledTimes(1);
  });

  it('asks anew before it refuses by an old count, and once a minute otherwise', async () => {
    const open = { count: 3 };
    const { admitOpen, count } = counting(open);
    await admitOpen(asked);
    await settle();
    expect(await admitOpen(asked)).toBe(false);
    open.count = 0;
    vi.advanceTimersByTime(2_000);
    expect(await admitOpen(asked)).toBe(true);
    expect(count).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(30_000);
    await admitOpen(asked);
    expect(count).toHaveBeenCalledTimes(2);
    vi.advanceTimersByTime(31_000);
    await admitOpen(asked);
    expect(count).toHaveBeenCalledTimes(3);
  });

  it('forgets a place that is given back, whether or not a count has come between', async () => {
    const { admitOpen, takePlace } = counting({ count: 0 });
    const first = await takePlace(asked);
    await settle();
    vi.advanceTimersByTime(61_000);
    const second = await takePlace(asked);
    await settle();
    // The second count has taken the first place out.
    first?.giveBack();
    second?.giveBack();
    expect([await admitOpen(asked), await admitOpen(asked), await admitOpen(asked)]).toEqual([true, true, true]);
    expect(await admitOpen(asked)).toBe(false);
  });

  it('keeps tenants apart, and lets in what cannot be counted', async () => {
    const takePlace = createOpenCounts({ count: () => Promise.reject(new Error('refused')) });
    const admitOpen = async (of: typeof asked) => (await takePlace(of)) !== undefined;
    for (let count = 0; count < 3; count += 1) expect(await admitOpen(asked)).toBe(true);
    expect(await admitOpen(asked)).toBe(false);
    expect(await admitOpen({ ...asked, tenant: 'other' })).toBe(true);
  });
});
