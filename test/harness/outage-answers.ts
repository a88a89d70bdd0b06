import { expect } from 'vitest';
import type { Reply } from './caller.ts';

export interface TimedReply extends Reply {
  readonly tookMs: number;
}

/** Asks, and says how long the answer took. */
export async function timed(ask: () => Promise<Reply>): Promise<TimedReply> {
  const startedAt = performance.now();
  const reply = await ask();
  return { ...reply, tookMs: Math.round(performance.now() - startedAt) };
}

/** What a slow machine adds to a deadline. Where a deadline is missing, there is no answer at all. */
const graceMs = 10_000;

/** Fails unless the answer came in time on whatever machine; `limitMs` is the sum of the deadlines of what it has to wait for. */
export function expectInTime(what: string, { status, tookMs }: TimedReply, limitMs: number): void {
  expect(tookMs, `${what}, answered ${status}: milliseconds`).toBeLessThanOrEqual(limitMs + graceMs);
}

/**
 * Fails unless the answer tells a caller what to do while Temporal is away: a 503 or 504 problem that may be
 * retried, says when, and has the verdict that goes with its status. Only what changes something can be in doubt.
 */
export function expectOutage(what: string, reply: Reply, { changes }: { changes: boolean }): void {
  const { status, headers, body } = reply;
  expect([503, 504], `${what}: ${JSON.stringify(body)}`).toContain(status);
  expect(headers.get('content-type'), what).toBe('application/problem+json');
  expect(Number(headers.get('retry-after')), what).toBeGreaterThanOrEqual(1);
  const isDoubtful = changes && status === 504;
  const timeout = changes ? 'outcome-unknown' : 'orchestration-timeout';
  expect(body, what).toMatchObject({
    code: status === 504 ? timeout : 'orchestration-unavailable',
    retryable: true,
    effect: isDoubtful ? 'unknown' : 'none',
  });
}

/** What a caller must believe of a request: `applied` for one that succeeded. */
export const verdictOf = ({ status, body }: Reply): 'applied' | 'none' | 'unknown' => {
  if (status < 300) return 'applied';
  const { effect } = body as { effect: 'applied' | 'none' | 'unknown' };
  return effect;
};
