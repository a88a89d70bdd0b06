import { relative } from 'node:path';
import { afterEach } from 'vitest';

const scale = Number(process.env['PORTICO_FAULT_SCALE'] ?? '1');

/** A count for a run of every day, times `PORTICO_FAULT_SCALE`. */
export const scaled = (count: number): number => Math.ceil(count * scale);

export type Chance = ReturnType<typeof createChance>;

/**
 * Chance that can be had again: seeded by `PORTICO_FAULT_SEED`, else by the clock. When a test of the calling file fails,
 * the command that repeats it is printed.
 */
export function createChance() {
  const seed = Number(process.env['PORTICO_FAULT_SEED'] ?? Date.now() % 1_000_000_000);
  afterEach(({ task }) => {
    if (task.result?.state !== 'fail') return;
    const file = relative(process.cwd(), task.file.filepath);
    console.error(`Repeat it by: PORTICO_FAULT_SEED=${seed} PORTICO_FAULT_SCALE=${scale} npx vitest run ${file}`);
  });
  let state = seed >>> 0;

  // mulberry32, in the public domain: https://gist.github.com/tommyettinger/46a874533244883189143505d203312c
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  return {
    seed,
    /** A whole number of the range, both ends included. */
    between: (low: number, high: number): number => low + Math.floor(next() * (high - low + 1)),
    /** All of them, in an order of chance. */
    shuffled<T>(items: readonly T[]): T[] {
      return items
        .map((item) => ({ item, rank: next() }))
        .sort((one, other) => one.rank - other.rank)
        .map(({ item }) => item);
    },
    oneOf<T>(choices: readonly [T, ...T[]]): T {
      return choices[Math.floor(next() * choices.length)] ?? choices[0];
    },
  };
}
