import { describe, expect, test } from 'vitest';
import { createWaits } from '../../src/orchestration/waits.ts';

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
  test('share one poll for each instance', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, maxPolls: 10 });
    const answers = Promise.all([
      waits.untilClosed('a', 5_000),
      waits.untilClosed('a', 5_000),
      waits.untilClosed('b', 5_000),
    ]);
    expect(polls.map(({ id }) => id)).toEqual(['a', 'b']);
    for (const { close } of polls) close(true);
    expect(await answers).toEqual([true, true, true]);
  });

  test('end when their time is up, and the poll with the last of them', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, maxPolls: 10 });
    const [short, long] = [waits.untilClosed('a', 5), waits.untilClosed('a', 40)];
    expect(await short).toBe(false);
    expect(polls[0]?.signal.aborted).toBe(false);
    expect(await long).toBe(false);
    expect(polls[0]?.signal.aborted).toBe(true);
  });

  test('end at once when the caller is gone, now or before', async () => {
    const { poll } = controlled();
    const waits = createWaits({ poll, maxPolls: 10 });
    const caller = new AbortController();
    const wait = waits.untilClosed('a', 60_000, caller.signal);
    caller.abort();
    expect(await wait).toBe(false);
    expect(await waits.untilClosed('a', 60_000, caller.signal)).toBe(false);
  });

  test('are refused past the limit of polls, and never fail', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, maxPolls: 1 });
    const first = waits.untilClosed('a', 60_000);
    expect(await waits.untilClosed('b', 60_000)).toBe(false);
    polls[0]?.fail();
    expect(await first).toBe(false);
    const again = waits.untilClosed('b', 60_000);
    polls[1]?.close(true);
    expect(await again).toBe(true);
  });

  test('all end when the process stops, and none begins', async () => {
    const { poll } = controlled();
    const waits = createWaits({ poll, maxPolls: 10 });
    const all = Promise.all([waits.untilClosed('a', 60_000), waits.untilClosed('b', 60_000)]);
    waits.end();
    expect(await all).toEqual([false, false]);
    expect(await waits.untilClosed('c', 60_000)).toBe(false);
  });
});
