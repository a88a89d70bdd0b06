import { relative } from 'node:path';
import fc from 'fast-check';
import { afterEach } from 'vitest';

const scale = Number(process.env['PORTICO_FAULT_SCALE'] ?? '1');

/** A count for a run of every day, times `PORTICO_FAULT_SCALE`. */
export const scaled = (count: number): number => Math.ceil(count * scale);

/** Moments spread evenly: fast-check would prefer the ends of the range. */
const evenly = (min: number, max: number) => fc.noBias(fc.integer({ min, max }));

export type Random = ReturnType<typeof createRandom>;

/**
 * Draws values by fast-check. `PORTICO_FAULT_SEED` gives the same values again; without it the clock is the seed. When a
 * test of the calling file fails, the command that repeats it is printed.
 */
export function createRandom() {
  const seed = Number(process.env['PORTICO_FAULT_SEED'] ?? Date.now() % 1_000_000_000);
  afterEach(({ task }) => {
    if (task.result?.state !== 'fail') return;
    const file = relative(process.cwd(), task.file.filepath);
    console.error(`Repeat it by: PORTICO_FAULT_SEED=${seed} PORTICO_FAULT_SCALE=${scale} npx vitest run ${file}`);
  });
  const [draw] = fc.sample(fc.gen(), { seed, numRuns: 1 });
  if (draw === undefined) throw new Error('fast-check drew nothing');

  return {
    seed,
    /** A whole number of the range, both ends included. */
    between: (min: number, max: number): number => draw(evenly, min, max),
    /** All of them, in random order. */
    shuffled: <T>(items: readonly T[]): T[] => draw(fc.shuffledSubarray<T>, [...items], { minLength: items.length }),
  };
}
