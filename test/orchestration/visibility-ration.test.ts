import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createVisibilityRation } from '../../src/orchestration/visibility-ration.ts';
import { Problem } from '../../src/problems.ts';

/** Milliseconds until the question may be asked again; undefined where it was let through. */
const retryAfter = (turn: Promise<void>): Promise<number | undefined> =>
  turn.then(
    () => undefined,
    (error: unknown) => {
      if (!(error instanceof Problem) || error.code !== 'overloaded') throw error;
      return error.options.retryAfterMs;
    },
  );

describe.concurrent('the ration of questions to the visibility store', () => {
  it('lets through so many in any second', async () => {
    const ask = createVisibilityRation({ perSecond: 20 });
    const at: number[] = [];
    await Promise.all(Array.from({ length: 39 }, () => ask('acme').then(() => at.push(performance.now()))));
    const gaps = at.slice(20).map((each, index) => each - (at[index] ?? Number.NaN));
    // On a busy machine a turn is noticed late, and the gap to the next one looks shorter.
    expect(Math.min(...gaps)).toBeGreaterThan(800);
  });

  it('is shared by the tenants in turn', async () => {
    const ask = createVisibilityRation({ perSecond: 4 });
    const order: string[] = [];
    const as = (tenant: string) => ask(tenant).then(() => order.push(tenant));
    const many = Array.from({ length: 7 }, () => as('many'));
    await sleep(20);
    await Promise.all([as('few'), ...many]);
    // Four were let through before; the next turn is theirs who ask little.
    expect(order.indexOf('few')).toBeLessThan(6);
  });

  it('refuses at once what would wait in vain, and says when to come back', async () => {
    const ask = createVisibilityRation({ perSecond: 10 });
    const answers = Array.from({ length: 60 }, () => retryAfter(ask('acme')));
    const startedAt = performance.now();
    const refused = (await Promise.all(answers.slice(30))).map((each) => each ?? 0);
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(refused).toHaveLength(30);
    // Thirty were let in, and those refused are spread over what they would take together.
    for (const each of refused) expect(each).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...refused)).toBeGreaterThan(5_000);
    expect(Math.max(...refused)).toBeLessThanOrEqual(10_000);
    expect(new Set(refused).size).toBeGreaterThan(10);
  });

  it('serves everybody who obeys, and nearly as many a second as it may', async () => {
    const perSecond = 50;
    const ask = createVisibilityRation({ perSecond });
    const clients = 400;
    let refusals = 0;
    async function insist(): Promise<void> {
      for (;;) {
        const afterMs = await retryAfter(ask('acme'));
        if (afterMs === undefined) return;
        refusals += 1;
        await sleep(afterMs);
      }
    }
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: clients }, insist));
    const seconds = (performance.now() - startedAt) / 1_000;
    // Without a word about when, each would ask again and again: a herd of some hundred at every tick.
    expect(refusals).toBeLessThan(2 * clients);
    expect(seconds).toBeLessThan((4 * clients) / perSecond);
  });

  it('is none where the limit is 0', async () => {
    const ask = createVisibilityRation({ perSecond: 0 });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 1_000 }, () => ask('acme')));
    expect(performance.now() - startedAt).toBeLessThan(900);
  });
});
