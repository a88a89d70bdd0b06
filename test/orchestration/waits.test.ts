import { describe, expect, it } from 'vitest';
import { createWaits } from '../../src/orchestration/waits.ts';

const limits = { maxPolls: 10, maxWaiters: 6, maxWaitersOfTenant: 4 };
const of = (workflowId: string, tenant = 'acme') => ({ tenant, workflowId });

/** Polls that a test ends by hand. */
function controlled() {
  const polls: { id: string; close: (closed: boolean) => void; fail: () => void; signal: AbortSignal }[] = [];
  const poll = (id: string, signal: AbortSignal) =>
    new Promise<boolean>((resolve, reject) =>
      polls.push({ id, close: resolve, fail: () => reject(new Error('lost')), signal }),
    );
  return { polls, poll };
}

describe('waits', () => {
  it('share one poll for each instance', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const answers = Promise.all([
      waits.untilClosed(of('a'), 5_000),
      waits.untilClosed(of('a'), 5_000),
      waits.untilClosed(of('b'), 5_000),
    ]);
    expect(polls.map(({ id }) => id)).toEqual(['a', 'b']);
    for (const { close } of polls) close(true);
    expect(await answers).toEqual([true, true, true]);
  });

  it('end when their time is up, and the poll with the last of them', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const [short, long] = [waits.untilClosed(of('a'), 5), waits.untilClosed(of('a'), 1_000)];
    expect(await short).toBe(false);
    expect(polls[0]?.signal.aborted).toBe(false);
    expect(await long).toBe(false);
    expect(polls[0]?.signal.aborted).toBe(true);
  });

  it('end at once when the caller is gone, now or before', async () => {
    const { poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const caller = new AbortController();
    const wait = waits.untilClosed(of('a'), 60_000, caller.signal);
    caller.abort();
    expect(await wait).toBe(false);
    expect(await waits.untilClosed(of('a'), 60_000, caller.signal)).toBe(false);
  });

  it('are refused past the limit of polls, and never fail', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, ...limits, maxPolls: 1 });
    const first = waits.untilClosed(of('a'), 60_000);
    expect(await waits.untilClosed(of('b'), 60_000)).toBe(false);
    polls[0]?.fail();
    expect(await first).toBe(false);
    const again = waits.untilClosed(of('b'), 60_000);
    polls[1]?.close(true);
    expect(await again).toBe(true);
  });

  it('all end when the process stops, and none begins', async () => {
    const { poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const all = Promise.all([waits.untilClosed(of('a'), 60_000), waits.untilClosed(of('b'), 60_000)]);
    waits.end();
    expect(await all).toEqual([false, false]);
    expect(await waits.untilClosed(of('c'), 60_000)).toBe(false);
  });

  it('are so many in all and so many of one tenant, and no more', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const wait = (tenant: string) => waits.untilClosed(of(tenant, tenant), 60_000);
    const held = Promise.all(['a', 'a', 'a', 'a'].map(wait));
    expect(await wait('a')).toBe(false);
    const others = Promise.all(['b', 'b'].map(wait));
    expect(await wait('c')).toBe(false);
    for (const { close } of polls.splice(0)) close(true);
    expect([await held, await others].flat()).toEqual([true, true, true, true, true, true]);
    const free = wait('a');
    polls[0]?.close(true);
    expect(await free).toBe(true);
  });
});
