import type { Cost } from '../operations/operation.ts';

/** How requests of one cost are admitted. Times are in milliseconds. */
export interface CostRules {
  /** So many requests of one operation may always be under way at once, however long they take. */
  readonly floor: number;
  /** So many at most, however fast they are. */
  readonly ceiling: number;
  /** Requests of a higher rank are dearer: for them the lower ranks give way. */
  readonly rank: number;
  /** Gives way while a dearer operation uses this share of its limit, or has requests that wait. */
  readonly yieldsAt: number;
  /** So many may be under way at once while giving way. */
  readonly yieldedLimit: number;
  /** How long a request waits for its turn in a burst. */
  readonly patienceMs: number;
}

/** Lists give way first, then reads. Nothing is dearer than a start or an action, of which `cancel` is one. */
export const usualRules: Readonly<Record<Cost, CostRules>> = {
  start: { floor: 32, ceiling: 512, rank: 2, yieldsAt: 1, yieldedLimit: 32, patienceMs: 500 },
  action: { floor: 32, ceiling: 512, rank: 2, yieldsAt: 1, yieldedLimit: 32, patienceMs: 500 },
  read: { floor: 32, ceiling: 512, rank: 1, yieldsAt: 0.9, yieldedLimit: 8, patienceMs: 500 },
  list: { floor: 32, ceiling: 512, rank: 0, yieldsAt: 0.5, yieldedLimit: 2, patienceMs: 250 },
};
