import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAdmission } from '../../src/overload/admission.ts';
import { usualRules } from '../../src/overload/cost-rules.ts';
import { Problem } from '../../src/problems.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const tookMs = 100;
const atOnce = 10;
const perSecond = (1_000 * atOnce) / tookMs;

/** Clients that all come at once and obey `Retry-After`, in virtual time. */
async function simulate(clients: number) {
  const rules = { ...usualRules, start: { ...usualRules.start, floor: atOnce, ceiling: atOnce } };
  const gate = createAdmission({ countShed: () => undefined, rules }).gateOf({ operationId: 'start', cost: 'start' });
  const askedIn = new Map<number, number>();
  let servedAtMs = 0;
  let served = 0;

  /** The whole seconds that the header tells; undefined once served. */
  async function send(): Promise<number | undefined> {
    const second = Math.floor(performance.now() / 1_000);
    askedIn.set(second, (askedIn.get(second) ?? 0) + 1);
    try {
      await gate.look('acme');
      const turn = await gate.enter('acme', new AbortController().signal);
      await sleep(tookMs);
      turn.end();
      served += 1;
      servedAtMs = performance.now();
      return undefined;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return Math.ceil((error.options.retryAfterMs ?? 0) / 1_000);
    }
  }

  async function insist(): Promise<void> {
    for (let seconds = await send(); seconds !== undefined; seconds = await send()) await sleep(1_000 * seconds);
  }

  const beganAtMs = performance.now();
  const all = Promise.all(Array.from({ length: clients }, insist));
  for (let second = 0; second < 120 && served < clients; second += 1) await vi.advanceTimersByTimeAsync(1_000);
  await all;
  const returns = [...askedIn.values()].slice(1);
  return { served, seconds: (servedAtMs - beganAtMs) / 1_000, returns };
}

describe('clients that obey Retry-After', () => {
  it('are all served, in not much longer than it takes, and never come as a herd', async () => {
    const clients = 1_000;
    const { served, seconds, returns } = await simulate(clients);
    expect(served).toBe(clients);
    expect(seconds).toBeLessThan((3.5 * clients) / perSecond);
    expect(Math.max(...returns)).toBeLessThan(3 * perSecond);
    expect(returns.reduce((sum, count) => sum + count, 0)).toBeLessThan(2 * clients);
  });
});
