import { setTimeout as sleep } from 'node:timers/promises';

/** Asks every 25 ms until it is true. Throws after `withinMs`, with what was seen last. */
export async function until(
  ask: () => Promise<{ isTrue: boolean; seen: unknown }> | { isTrue: boolean; seen: unknown },
  { withinMs = 15_000 }: { withinMs?: number } = {},
): Promise<void> {
  const endsAt = Date.now() + withinMs;
  for (;;) {
    const { isTrue, seen } = await ask();
    if (isTrue) return;
    if (Date.now() > endsAt) throw new Error(`not true within ${withinMs} ms; seen last: ${String(seen)}`);
    await sleep(25);
  }
}
