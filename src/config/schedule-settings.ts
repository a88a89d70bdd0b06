import { z } from 'zod';
import { duration, wholeNumber } from './kinds.ts';

/** What an operator sets for schedules. */
export const scheduleSettings = z.object({
  limit: wholeNumber(0, 100_000).prefault('100').describe('Schedules a tenant may have.'),
  shortestInterval: duration('1s', '30d')
    .prefault('10s')
    .describe(
      'The shortest time between two firings of a schedule, jitter left out. It holds for new and replaced ones.',
    ),
  backfillLimit: wholeNumber(1, 1_000).prefault('100').describe('Firings that one backfill may ask for.'),
});
