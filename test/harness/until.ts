import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';

/** For what must happen, however slow the machine: half of what a test may take. */
const generousMs = 180_000;

/**
 * Asks every 25 ms until `isDone` of the answer, and resolves with that answer. Throws with the last answer after
 * `withinMs`, which is no promise of Portico unless a caller gives one.
 */
export async function until<T>(
  ask: () => T | Promise<T>,
  isDone: (answer: T) => boolean,
  { withinMs = generousMs }: { withinMs?: number } = {},
): Promise<T> {
  const endsAt = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (isDone(answer)) return answer;
    if (performance.now() > endsAt)
      throw new Error(`did not become true in ${withinMs} ms; last: ${inspect(answer, { depth: 4 })}`);
    await sleep(25);
  }
}
