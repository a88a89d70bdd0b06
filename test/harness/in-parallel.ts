/** Works on all items, at most `width` at a time. Resolves with what came of each, in their order. */
export async function inParallel<T, Result>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = [...items.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await work(next[1]);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

/**
 * How many calls like `ask` this machine can have under way so that the last is answered after five seconds: measured on
 * 25 of them, and `most` at the most. A client gives up a connection that takes ten seconds to open.
 */
export async function measuredWidth(ask: () => Promise<unknown>, { most }: { most: number }): Promise<number> {
  const sample = Array.from({ length: 25 });
  const startedAt = performance.now();
  await inParallel(sample.length, sample, ask);
  const eachMs = (performance.now() - startedAt) / sample.length;
  return Math.max(sample.length, Math.min(most, Math.floor(5_000 / eachMs)));
}
