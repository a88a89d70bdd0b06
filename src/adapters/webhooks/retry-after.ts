/** As long as the longest pause of the retry schedule. */
const longestMs = 86_400_000;

const statuses: readonly number[] = [429, 502, 503, 504];

/**
 * How long the receiver wants to be left alone, in milliseconds, at most a day. Undefined where it did not say so, where
 * the field cannot be read, and for a status that does not go with it. A time that is past is 0.
 */
export function retryAfterMsOf(status: number, field: string | string[] | undefined, now: Date): number | undefined {
  if (!statuses.includes(status) || typeof field !== 'string') return undefined;
  const text = field.trim();
  const waitMs = /^[0-9]{1,10}$/.test(text) ? Number(text) * 1_000 : httpDate(text) - now.getTime();
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), longestMs);
}

/** Milliseconds of an IMF-fixdate (RFC 9110, 5.6.7), the one form that is still sent; else NaN. */
const httpDate = (text: string): number =>
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text) ? Date.parse(text) : Number.NaN;
