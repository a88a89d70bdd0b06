import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Run } from '../../src/orchestration/shared-polls.ts';
import { createWaits } from '../../src/orchestration/waits.ts';

const limits = { maxPolls: 10, maxWaiters: 6, maxWaitersOfTenant: 4 };
const of = (workflowId: string, tenant = 'acme') => ({ tenant, workflowId, runId: 'r' });
const closed = { kind: 'closed', end: 'done' };
const running = { kind: 'running' };
const notWaited = { kind: 'not-waited' };

/** Polls that a test ends by hand. */
function controlled() {
  const polls: { id: string; close: () => void; fail: () => void; signal: AbortSignal }[] = [];
  const poll = ({ workflowId }: Run, signal: AbortSignal) =>
    new Promise<string | undefined>((resolve, reject) =>
      polls.push({ id: workflowId, close: () => resolve('done'), fail: () => reject(new Error('lost')), signal }),
    );
  return { polls, poll };
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** What is still reachable. */
function heapBytes(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
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
    for (const { close } of polls) close();
    expect(await answers).toEqual([closed, closed, closed]);
  });

  it('end when their time is up, and the poll with the last of them', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const [short, long] = [waits.untilClosed(of('a'), 5), waits.untilClosed(of('a'), 1_000)];
    expect(await short).toEqual(running);
    expect(polls[0]?.signal.aborted).toBe(false);
    expect(await long).toEqual(running);
    expect(polls[0]?.signal.aborted).toBe(true);
  });

  it('end at once when the caller is gone, now or before', async () => {
    const { poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const caller = new AbortController();
    const wait = waits.untilClosed(of('a'), 60_000, caller.signal);
    caller.abort();
    expect(await wait).toEqual(running);
    expect(await waits.untilClosed(of('a'), 60_000, caller.signal)).toEqual(running);
  });

  it('are refused past the limit of polls, and never fail', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, ...limits, maxPolls: 1 });
    const first = waits.untilClosed(of('a'), 60_000);
    expect(await waits.untilClosed(of('b'), 60_000)).toEqual(notWaited);
    polls[0]?.fail();
    expect(await first).toEqual(running);
    const again = waits.untilClosed(of('b'), 60_000);
    polls[1]?.close();
    expect(await again).toEqual(closed);
  });

  it('all end when the process stops, and none begins', async () => {
    const { poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const all = Promise.all([waits.untilClosed(of('a'), 60_000), waits.untilClosed(of('b'), 60_000)]);
    waits.end();
    expect(await all).toEqual([running, running]);
    expect(await waits.untilClosed(of('c'), 60_000)).toEqual(notWaited);
  });

  it('are so many in all and so many of one tenant, and no more', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, ...limits });
    const wait = (tenant: string) => waits.untilClosed(of(tenant, tenant), 60_000);
    const held = Promise.all(['a', 'a', 'a', 'a'].map(wait));
    expect(await wait('a')).toEqual(notWaited);
    const others = Promise.all(['b', 'b'].map(wait));
    expect(await wait('c')).toEqual(notWaited);
    for (const { close } of polls.splice(0)) close();
    expect([await held, await others].flat()).toEqual(Array(6).fill(closed));
    const free = wait('a');
    polls[0]?.close();
    expect(await free).toEqual(closed);
  });

  it('share a poll that is begun anew from time to time, unnoticed', async () => {
    const { polls, poll } = controlled();
    const aborting = (run: Run, signal: AbortSignal) =>
      Promise.race([
        poll(run, signal),
        new Promise<undefined>((resolve) => (signal.onabort = () => resolve(undefined))),
      ]);
    const waits = createWaits({ poll: aborting, ...limits, maxPollMs: 20 });
    const wait = waits.untilClosed(of('a'), 60_000);
    await expect.poll(() => polls.length, { interval: 5 }).toBeGreaterThan(2);
    expect(polls[0]?.signal.aborted).toBe(true);
    polls.at(-1)?.close();
    expect(await wait).toEqual(closed);
  });

  it('leave nothing behind, while another waits for the same instance', async () => {
    const { polls, poll } = controlled();
    const waits = createWaits({ poll, maxPolls: 1, maxWaiters: 5_000, maxWaitersOfTenant: 5_000 });
    const stays = waits.untilClosed(of('a'), 300_000);
    const endMany = async (times: number) => {
      for (let n = 0; n < times; n += 1) {
        await Promise.all(Array.from({ length: 2_000 }, () => waits.untilClosed(of('a'), 0)));
      }
    };
    await endMany(5);
    const before = heapBytes();
    await endMany(100);
    expect(heapBytes() - before).toBeLessThan(10_000_000);
    polls[0]?.close();
    expect([await stays, polls.length]).toEqual([closed, 1]);
  });
});
