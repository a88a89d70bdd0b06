import type { z } from 'zod';
import { Problem } from '../../problems.ts';
import type { localTime } from './input.ts';

interface DueTime {
  readonly at?: string | z.output<typeof localTime> | undefined;
  /** Milliseconds. */
  readonly after?: number | undefined;
}

/** The longest delay: five years. */
const maxDelayMs = 1_827 * 86_400_000;

/**
 * The instant that a caller means, in milliseconds since the epoch. What has passed is due at `from`, which a delay counts
 * from as well. Throws `invalid-request` for an unknown zone, a date that no calendar has, and more than five years.
 */
export async function dueAtMsOf({ at, after = 0 }: DueTime, fromMs: number): Promise<number> {
  const askedMs = at === undefined ? fromMs + after : typeof at === 'string' ? Date.parse(at) : await instantOf(at);
  if (Number.isNaN(askedMs)) throw refused('/at', 'must be an instant of RFC 3339');
  if (askedMs > fromMs + maxDelayMs) throw refused('/at', 'must be at most five years ahead');
  return Math.max(askedMs, fromMs);
}

async function instantOf({ local, zone }: z.output<typeof localTime>): Promise<number> {
  // Loaded on first use: most api processes never need it.
  const { Temporal: temporal } = await import('temporal-polyfill');
  let date;
  try {
    date = temporal.PlainDateTime.from(local, { overflow: 'reject' });
  } catch {
    throw refused('/at/local', 'must be a date and a time that the calendar has');
  }
  try {
    return date.toZonedDateTime(zone, { disambiguation: 'compatible' }).epochMilliseconds;
  } catch {
    throw refused('/at/zone', 'must be a zone of the IANA time zone database');
  }
}

export const refused = (pointer: string, message: string): Problem =>
  new Problem('invalid-request', { errors: [{ pointer, message }] });
