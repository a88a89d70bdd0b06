import { expect } from 'vitest';
import { scaled } from './random.ts';

/**
 * How much of what is rare a run of each fault suite has to meet, or it has shown nothing: times `PORTICO_FAULT_SCALE`.
 * `interrupted` are activities that a kill took away while they ran.
 */
const least = {
  'commit cuts': { cuts: 10, compensated: 10, settled: 4, cancelled: 2, rejected: 4, duplicates: 30, mismatches: 30 },
  'kills of npm start': {
    kills: 3,
    interrupted: 3,
    compensated: 6,
    settled: 3,
    cancelled: 1,
    rejected: 3,
    duplicates: 18,
    mismatches: 18,
  },
  'kills of PostgreSQL': {
    kills: 6,
    interrupted: 3,
    compensated: 8,
    settled: 4,
    cancelled: 2,
    rejected: 4,
    conflicts: 4,
    duplicates: 28,
    mismatches: 28,
  },
  'replaced processes': {
    stops: 4,
    compensated: 6,
    settled: 3,
    cancelled: 1,
    rejected: 3,
    conflicts: 3,
    duplicates: 21,
    mismatches: 21,
  },
  'kills of Temporal': {
    kills: 3,
    compensated: 4,
    settled: 2,
    cancelled: 1,
    rejected: 2,
    duplicates: 12,
    mismatches: 12,
  },
  'cuts of Temporal': {
    compensated: 4,
    settled: 2,
    cancelled: 1,
    rejected: 2,
    conflicts: 2,
    duplicates: 14,
    mismatches: 14,
  },
  // `hit` are rows that a killed relay held, `duplicates` rows that were sent again.
  'kills of relays': { kills: 5, hit: 3, duplicates: 20, '503': 3, hang: 3, reset: 3, long: 3, redirect: 3 },
  // `hit` are kills while a row was held or a grant was running.
  'kills around an outbox': { committed: 30, 'rolled back': 10, kills: 5, hit: 3, 'sent again': 1 },
} as const;

type Suite = keyof typeof least;
type Counts = Readonly<Record<string, number>>;

/** Says in one line what a run met, and fails where that is too little. */
export function expectEnough(suite: Suite, met: Counts): void {
  const words = Object.entries(met).map(([what, count]) => `${count} ${what}`);
  console.info(`${suite}: ${words.join(', ')}`);
  const wanted: Counts = least[suite];
  const tooFew = Object.entries(wanted)
    .filter(([what, count]) => (met[what] ?? 0) < scaled(count))
    .map(([what, count]) => `${met[what] ?? 0} ${what} of ${scaled(count)}`);
  expect(tooFew, suite).toEqual([]);
}
