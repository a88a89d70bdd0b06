import { describe, expect, it } from 'vitest';
import { closedLoop, openLoop } from '../../bench/load/window.ts';

describe('an open loop', () => {
  it('measures from the moment at which a request was due, also for one that had to wait', async () => {
    const waiting: (() => void)[] = [];
    const send = () =>
      new Promise<void>((resolve) => {
        waiting.push(resolve);
        // A service that stands still until the last request has come.
        if (waiting.length === 6) for (const answer of waiting) answer();
      });
    const { latencies } = await openLoop(send, { perSecond: 100, rampMs: 0, windowMs: 60 }, []);
    expect(latencies.length).toBe(6);
    expect(Math.max(...latencies)).toBeGreaterThanOrEqual(49);
  });

  it('leaves out what was refused, by the service or for want of room', async () => {
    let sent = 0;
    const send = () => Promise.resolve((sent += 1) % 2 === 0);
    const refused = await openLoop(send, { perSecond: 1_000, rampMs: 0, windowMs: 20 }, []);
    expect([sent, refused.latencies.length]).toEqual([20, 10]);
    const ends: (() => void)[] = [];
    const stuck = openLoop(
      () => new Promise<void>((resolve) => ends.push(resolve)),
      { perSecond: 1_000, rampMs: 0, windowMs: 20, maxUnderWay: 3 },
      [],
    );
    await expect.poll(() => ends.length).toBe(3);
    for (const end of ends) end();
    expect((await stuck).latencies.length).toBeGreaterThanOrEqual(3);
  });

  it('fails where a request fails', async () => {
    const send = () => Promise.reject(new Error('answered 500'));
    await expect(openLoop(send, { perSecond: 1_000, rampMs: 0, windowMs: 5 }, [])).rejects.toThrow('answered 500');
  });
});

describe('a closed loop', () => {
  it('has as many requests under way as callers, and ends where it was told to', async () => {
    let [underWay, most, sent] = [0, 0, 0];
    const send = async () => {
      sent += 1;
      most = Math.max(most, (underWay += 1));
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
    };
    const loop = { callers: 4, rampMs: 0, windowMs: 60_000, maxRequests: 20 };
    const { requests } = await closedLoop(send, loop, []);
    expect({ most, sent, requests }).toEqual({ most: 4, sent: 20, requests: 20 });
  });

  it('fails where a request fails', async () => {
    const send = () => Promise.reject(new Error('answered 500'));
    const loop = { callers: 2, rampMs: 0, windowMs: 60_000 };
    await expect(closedLoop(send, loop, [])).rejects.toThrow('answered 500');
  });
});
